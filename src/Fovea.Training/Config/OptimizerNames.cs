namespace Fovea.Training.Config;

/// <summary>Transformers' names of optimizers that are not names of ours: those that do the same, and why the others are refused.</summary>
internal static class OptimizerNames
{
    private static readonly Dictionary<string, OptimizerKind> Same = new()
    {
        ["adamw_torch_xla"] = OptimizerKind.AdamwTorch,
        ["adamw_torch_npu_fused"] = OptimizerKind.AdamwTorch,
        ["paged_adamw_32bit"] = OptimizerKind.AdamwTorch,
        ["lion_32bit"] = OptimizerKind.Lion,
        ["paged_lion_32bit"] = OptimizerKind.Lion,
        ["adamw_bnb_8bit"] = OptimizerKind.Adamw8bit,
        ["paged_adamw_8bit"] = OptimizerKind.Adamw8bit,
    };

    private static readonly (string Reason, string Names)[] Refused =
    [
        ("states in 8 bits are AdamW's alone, as bitsandbytes has them; use adamw_8bit",
            "adamw_torch_8bit adamw_torch_4bit lion_8bit paged_lion_8bit ademamix_8bit paged_ademamix_8bit rmsprop_bnb_8bit"),
        ("gradients are not projected to a lower rank; train fewer weights with LoRA",
            "galore_adamw galore_adamw_8bit galore_adafactor galore_adamw_layerwise galore_adamw_8bit_layerwise galore_adafactor_layerwise apollo_adamw"
            + " apollo_adamw_layerwise"),
        ("weights do not move before all gradients are there; use adafactor, or zero with offload: optimizer", "lomo adalomo"),
        ("the rate follows lr_scheduler_type; use adamw_torch or sgd", "schedule_free_radam schedule_free_adamw schedule_free_sgd"),
        ("it is not supported; use adamw_torch",
            "adamw_anyprecision ademamix paged_ademamix_32bit adagrad rmsprop rmsprop_bnb rmsprop_bnb_32bit grokadamw stable_adamw adamw_apex_fused"),
    ];

    /// <summary>What is to be said of a name that is taken for another's; null for nothing.</summary>
    public static string? Notice(string name) => name.StartsWith("paged_", StringComparison.OrdinalIgnoreCase) && Same.ContainsKey(name.ToLowerInvariant())
        ? $"optim: {name}: the optimizer's state is not paged: it stays on the device, or in the host's memory with offload: optimizer"
        : null;

    /// <summary>The optimizer of another name; null where it is none of these.</summary>
    /// <exception cref="FormatException">It is refused; says why.</exception>
    public static OptimizerKind? Find(string name)
    {
        if (Same.TryGetValue(name, out var kind))
        {
            return kind;
        }

        var reason = Refused.FirstOrDefault(group => group.Names.Split(' ').Contains(name)).Reason;
        return reason is null ? null : throw new FormatException(reason);
    }
}
