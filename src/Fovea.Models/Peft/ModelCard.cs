namespace Fovea.Models.Peft;

/// <summary>The README.md of an adapter folder.</summary>
internal static class ModelCard
{
    public static string For(PeftConfig config, int linears, long parameters)
    {
        var baseModel = config.BaseModel ?? "unknown";
        var more = (config.Lora.HasPatterns ? " where no pattern says otherwise" : string.Empty)
            + (config.Lora.Decomposed ? ", with magnitudes (DoRA)" : string.Empty);
        return $"""
            ---
            base_model: {PythonJson.Line(baseModel)}
            library_name: peft
            tags:
            - lora
            - vision-language
            ---

            # LoRA adapter

            Rank {config.Lora.Rank}, alpha {config.Lora.Alpha:0.####}{more}, on {linears} linear layers ({parameters} parameters) of `{baseModel}`.
            Trained with Fovea.

            Load it over the base model with PEFT, `PeftModel.from_pretrained(model, folder)`, chat with it in Fovea, `fovea chat`,
            or fold it into the base weights, `fovea export`.

            """;
    }
}
