using Fovea.Nn.FourBit;

namespace Fovea.Models;

/// <summary>What a model folder's config.json says of weights in bitsandbytes' 4 bits (<c>quantization_config</c>).</summary>
/// <param name="Options">How they were rounded. Which they are the files say; this list is what the writer meant to leave out.</param>
internal sealed record QuantizationConfig(FourBitOptions Options)
{
    private const string Key = "quantization_config";
    private const string Remedy = "of quantised weights only bitsandbytes' 4 bits are read; take the model that was not quantised";

    /// <returns>Null where nothing is said.</returns>
    /// <exception cref="ConfigException">It is another kind of quantised model.</exception>
    public static QuantizationConfig? Read(ConfigReader config)
    {
        foreach (var part in new[] { "text_config", "vision_config" })
        {
            if (config.HasObject(part) && config.Section(part)!.Has(Key))
            {
                throw config.Section(part)!.Refused(Key, $"it is read at the top of the file only; {Remedy}");
            }
        }

        if (config.Section(Key) is not { } json)
        {
            return null;
        }

        var method = json.Text("quant_method", "bitsandbytes");
        if (method != "bitsandbytes")
        {
            throw config.Refused(Key, $"quant_method is {method}; {Remedy}");
        }

        if (!json.Bool("load_in_4bit", json.Bool("_load_in_4bit", false)))
        {
            throw config.Refused(Key, $"load_in_4bit is not true; {Remedy}");
        }

        return new QuantizationConfig(new FourBitOptions(
            json.Text("bnb_4bit_quant_type", "fp4") switch
            {
                "nf4" => FourBitType.Nf4,
                "fp4" => FourBitType.Fp4,
                _ => throw json.Wrong("bnb_4bit_quant_type", "nf4 or fp4"),
            },
            json.Bool("bnb_4bit_use_double_quant", false))
        {
            Skipped = json.Has("llm_int8_skip_modules") ? json.Texts("llm_int8_skip_modules") : SkippedModules.Usual,
        });
    }
}
