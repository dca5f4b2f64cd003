namespace Fovea.Training.Config;

/// <summary>Turns entries into a checked configuration, or into the full list of what is wrong with them.</summary>
internal static class ConfigLoader
{
    public static TrainConfig Load(IReadOnlyList<ConfigEntry> file, IEnumerable<string> overrides, ConfigUse use)
    {
        var problems = new List<string>();
        return Load(file, ConfigOverrides.Parse(overrides, problems), use, problems);
    }

    /// <param name="overrides">Replace what the file says about a key.</param>
    public static TrainConfig Load(IReadOnlyList<ConfigEntry> file, IReadOnlyList<ConfigEntry> overrides, ConfigUse use) => Load(file, overrides, use, []);

    private static TrainConfig Load(IReadOnlyList<ConfigEntry> file, IReadOnlyList<ConfigEntry> overrides, ConfigUse use, List<string> problems)
    {
        var notices = new List<string>();
        var config = new TrainConfig();
        var given = new HashSet<string>();
        var written = new Dictionary<string, ConfigEntry>();
        var entries = Merge(file, overrides, problems).ToList();
        foreach (var entry in OfficialArguments.Expand(entries, problems, notices))
        {
            if (ConfigKeys.Find(entry.Key) is { } key)
            {
                given.Add(key.Name);
                if (entry.Value is not ConfigNode.Scalar { Text: null })
                {
                    written[key.Name] = entry;
                }

                Set(config, key, entry, problems);
            }
            else if (RefusedKeys.All.TryGetValue(entry.Key, out var refused))
            {
                if (refused.Refuses(entry.Value))
                {
                    problems.Add(entry.Problem($"{entry.Value} is refused: {refused.Reason}"));
                }
                else if (refused.Ignores(entry.Value))
                {
                    notices.Add($"{entry.Key}: {entry.Value} is ignored: {refused.Ignored!.Value.Reason}");
                }
            }
            else if (IgnoredKeys.All.TryGetValue(entry.Key, out var reason))
            {
                if (!entry.Value.IsOff)
                {
                    notices.Add($"{entry.Key} is ignored: {reason}");
                }
            }
            else
            {
                var near = NearestKey.To(entry.Key, ConfigKeys.Known);
                problems.Add(entry.Problem(near is null ? "is not a key that Fovea knows" : $"is not a key that Fovea knows; did you mean {near}?"));
            }
        }

        // A file of LLaMA-Factory that only predicts does not say that it does not train.
        config = config.Run.DoPredict && !given.Contains("do_train") ? config with { Run = config.Run with { DoTrain = false } } : config;
        config = ShardingRules.Resolve(config, written, use, problems, notices);

        if (written.TryGetValue("optim", out var optim) && OptimizerNames.Notice(optim.Value.ToString() ?? string.Empty) is { } paged)
        {
            notices.Add(paged);
        }

        // Not for what stands there because a script's arguments mean it.
        var own = entries.Select(entry => Canonical(entry.Key)).ToHashSet();
        var byUser = written.Where(pair => own.Contains(pair.Key)).ToDictionary();
        notices.AddRange(KeyNeeds.Notices(config, byUser, use));
        notices.AddRange(ScheduleChecks.Notices(config.Schedule));
        notices.AddRange(config.Family.Notices);
        ConfigChecks.Run(config, given, use, problems);
        return problems.Count > 0
            ? throw new ConfigException(problems)
            : ConfigChecks.Normalise(config) with { Notices = notices, Written = byUser.Keys.ToHashSet() };
    }

    /// <summary>Overrides replace what the file says about a key, under whichever of its names; the last one counts.</summary>
    private static IEnumerable<ConfigEntry> Merge(IReadOnlyList<ConfigEntry> file, IReadOnlyList<ConfigEntry> overrides, List<string> problems)
    {
        var merged = new Dictionary<string, ConfigEntry>();
        foreach (var entry in file)
        {
            if (!merged.TryAdd(Canonical(entry.Key), entry))
            {
                problems.Add(entry.Problem($"means the same as {merged[Canonical(entry.Key)].Key}, which is given too; keep one"));
            }
        }

        foreach (var entry in overrides)
        {
            merged[Canonical(entry.Key)] = entry;
        }

        return merged.Values;
    }

    private static string Canonical(string key) => ConfigKeys.Find(key)?.Name ?? key;

    private static void Set(TrainConfig config, ConfigKey key, ConfigEntry entry, List<string> problems)
    {
        if (key.NullIsValue && entry.Value is ConfigNode.Scalar { Text: null })
        {
            key.Set(config, null);
            return;
        }

        // Otherwise null and auto leave the default in place.
        if (entry.Value is ConfigNode.Scalar { Text: null } || (key.Auto && entry.Value is ConfigNode.Scalar { Text: "auto" }))
        {
            return;
        }

        try
        {
            key.Set(config, ConfigValues.Convert(entry.Value, key));
            config.Family.Note(key.Name);
        }
        catch (FormatException e)
        {
            problems.Add(entry.Problem($"{entry.Value} is not allowed: {e.Message}"));
        }
    }
}
