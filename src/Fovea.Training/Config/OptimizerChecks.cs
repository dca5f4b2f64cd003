namespace Fovea.Training.Config;

/// <summary>What the keys of an optimizer must fulfil together.</summary>
internal static class OptimizerChecks
{
    private static readonly string[] OfSgd = ["momentum", "dampening", "nesterov"];

    public static void Run(OptimizerSection optimizer, ICollection<string> problems)
    {
        var (kind, given) = (ConfigKey.SnakeCase(optimizer.Kind.ToString()), optimizer.OptimArgs);
        if (optimizer.UseMuon && optimizer.Optim is not (OptimizerKind.AdamwTorch or OptimizerKind.Muon))
        {
            problems.Add($"use_muon: true contradicts optim: {ConfigKey.SnakeCase(optimizer.Optim.ToString())}; keep one of them");
        }

        string[] reads = optimizer.Kind == OptimizerKind.Sgd ? OfSgd : [];
        foreach (var name in given.Names)
        {
            var problem = name == "weight_decay" ? "never reaches Transformers' optimizer either; use weight_decay itself"
                : !reads.Contains(name) ? $"is not read by optim: {kind}, which reads {(reads.Length == 0 ? "none" : string.Join(", ", reads))}"
                : name == "nesterov" ? given.Flag(name) is null ? "must be true or false" : null
                : given.Number(name) is >= 0 and < 1 ? null
                : "must be a number, at least 0 and less than 1";
            if (problem is not null)
            {
                problems.Add($"optim_args.{name} {problem}");
            }
        }

        if (given.Flag("nesterov") == true && (given.Number("momentum") is null or 0 || given.Number("dampening") is > 0))
        {
            problems.Add("optim_args.nesterov needs a momentum, and no dampening");
        }
    }
}
