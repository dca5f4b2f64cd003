namespace Fovea.Training.Config;

/// <summary>What cannot be done over a base in 4 bits.</summary>
internal static class FourBitChecks
{
    /// <param name="cause">What has the base in 4 bits.</param>
    public static IEnumerable<string> Problems(TrainConfig config, string cause)
    {
        if (config.Run.DoTrain && config.Tuning.FinetuningType != FinetuningType.Lora)
        {
            yield return $"{cause} keeps frozen weights in 4 bits; use finetuning_type: lora, or a base in 16 bits";
        }

        // The keys of the run that began so also stand in its file when its converted adapter is used.
        if (config.Tuning.Start.ChangesBase && config.Run.DoTrain && (config.Tuning.CreateNewAdapter || config.Model.AdapterNameOrPath.Count == 0))
        {
            var key = config.Tuning.PissaInit ? "pissa_init: true" : $"init_weights: {config.Tuning.InitWeights}";
            yield return $"{key} takes a part out of the base's own weights, and {cause} keeps them in 4 bits; remove one of them";
        }

        if (config.Model.Enlarges)
        {
            yield return $"{cause} goes without new tokens and resize_vocab, as in LLaMA-Factory; add them to a model in 16 bits and export that";
        }

        if (config.Model.AdapterNameOrPath.Count > 1 || (config.Tuning.CreateNewAdapter && config.Model.AdapterNameOrPath.Count > 0))
        {
            yield return $"{cause} takes one adapter: earlier ones would be merged into weights of 4 bits; export them into a model of their own first";
        }
    }

    /// <summary>The same once the model folder is known, which may be in 4 bits itself.</summary>
    /// <exception cref="ConfigException">All of it.</exception>
    public static void Check(TrainConfig config, Models.ModelSource source)
    {
        var cause = source.Quantization is not null ? $"model_name_or_path: {source.Folder}" : config.Model.FourBit is null ? null : "quantization_bit: 4";
        if (cause is not null && Problems(config, cause).ToList() is { Count: > 0 } problems)
        {
            throw new ConfigException(problems);
        }
    }
}
