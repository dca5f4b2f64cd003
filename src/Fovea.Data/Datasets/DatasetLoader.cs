using Fovea.Data.Sampling;

namespace Fovea.Data.Datasets;

/// <summary>Opens datasets, looks at every row once and splits off the evaluation rows, all in LLaMA-Factory's order.</summary>
internal static class DatasetLoader
{
    private const int Listed = 30;
    private const int Kept = 10_000;

    /// <summary>
    /// Loads what <paramref name="options"/> name. With <see cref="BadSamplePolicy.Error"/> any unusable row ends in one
    /// <see cref="ConfigException"/> that lists them; otherwise they are left out and listed in the result.
    /// </summary>
    public static LoadedData Load(DataOptions options) => Load(options, trains: true);

    /// <summary>The held-out datasets alone, where what is trained on is a stream: <see cref="LoadedData.Train"/> is empty.</summary>
    public static LoadedData LoadHeldOut(DataOptions options) => Load(options, trains: false);

    private static LoadedData Load(DataOptions options, bool trains)
    {
        Check(options);
        var sources = new List<RowSource>();
        try
        {
            return Load(options, sources, trains);
        }
        catch
        {
            sources.ForEach(s => s.Dispose());
            throw;
        }
    }

    private static void Check(DataOptions options)
    {
        var problems = new List<string>();
        if (options.Dataset.Count == 0)
        {
            problems.Add("dataset: at least one dataset is needed");
        }

        if (options.ValSize < 0 || (options.ValSize > 1 && options.ValSize != Math.Floor(options.ValSize)))
        {
            problems.Add($"val_size: {options.ValSize} must be a share between 0 and 1, or a whole number of rows");
        }

        if (options.ValSize > 0 && options.EvalDataset.Count > 0)
        {
            problems.Add("val_size: cannot be combined with eval_dataset; give one of them");
        }

        if (options is { TrainOnPrompt: true, MaskHistory: true })
        {
            problems.Add("train_on_prompt: cannot be combined with mask_history");
        }

        if (options.MaxSamples < 1)
        {
            problems.Add("max_samples: must be at least 1");
        }

        problems.AddRange(MixRules.Problems(options));
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }
    }

    private static LoadedData Load(DataOptions options, List<RowSource> sources, bool trains)
    {
        var errors = new List<string>();
        var trainSources = trains ? Open(options.Dataset, options, sources, errors) : 0;
        var evalSources = options.EvalDataset.Count == 0 ? 0 : Open(options.EvalDataset, options, sources, errors);
        if (errors.Count > 0)
        {
            throw new ConfigException(errors);
        }

        var rejected = new List<BadSample>();
        var good = new bool[sources.Count][];
        var notices = new List<string>();
        var summaries = new List<DatasetSummary>();
        for (var s = 0; s < sources.Count; s++)
        {
            // A dataset that is named twice is looked at once.
            var first = sources.IndexOf(sources[s]);
            good[s] = first < s ? good[first] : Validate(sources[s], options.Workers, rejected, notices);
            summaries.Add(new DatasetSummary(sources[s].Spec.Name, s >= trainSources, sources[s].Count, good[s].Count(g => !g)));
        }

        if (options.OnBadSample == BadSamplePolicy.Error && rejected.Count > 0)
        {
            throw Refusal(rejected, summaries.DistinctBy(s => s.Name).Sum(s => s.Rejected));
        }

        var each = options.EvalOnEachDataset && evalSources > 0;
        var train = All(sources, 0, trainSources, options, notices);
        var mixed = each ? options with { MixStrategy = MixStrategy.Concat } : options;
        var eval = evalSources > 0 ? All(sources, trainSources, sources.Count, mixed, notices) : null;
        if (options.ValSize > 0)
        {
            (train, eval) = Split(train, options);
        }

        // Unusable rows go after the split, so that they do not change which rows are set aside.
        var trainSet = Usable(sources, train, good);
        var evalSet = eval is null ? null : Usable(sources, eval, good);
        if (trains && trainSet.Count == 0)
        {
            throw new ConfigException(["no usable row is left to train on", .. rejected.Take(Listed).Select(r => r.ToString())]);
        }

        return new LoadedData(sources, trainSet, evalSet, summaries, rejected, notices)
        {
            HeldOut = each ? Parts(options, evalSet!, trainSources) : evalSet is { Count: > 0 } ? [new HeldOutPart(null, evalSet)] : [],
        };
    }

    /// <summary>The held-out samples of each dataset; one without usable rows has no numbers.</summary>
    private static List<HeldOutPart> Parts(DataOptions options, ConversationSet all, int first) =>
    [
        .. HeldOutNames.Of(options.EvalDataset).Select((name, i) => new HeldOutPart(name, all.Of(first + i))).Where(part => part.Samples.Count > 0),
    ];

    private static int Open(IReadOnlyList<string> names, DataOptions options, List<RowSource> sources, List<string> errors)
    {
        try
        {
            // All names that cannot be found are reported at once, before any is opened.
            string[] named = [.. names.Where(name => !options.Given.ContainsKey(name))];
            var specs = new Queue<DatasetSpec>(DatasetCatalog.Resolve(named, options.DatasetDir, options.Repositories));
            foreach (var name in names)
            {
                var given = options.Given.GetValueOrDefault(name);
                var spec = given is null ? specs.Dequeue() : null;
                try
                {
                    sources.Add(sources.Find(source => source.Spec.Name == name) ?? (given is not null
                        ? new GivenRows(name, given, options)
                        : new FileRows(spec!, options)));
                    if (sources[^1].Count == 0)
                    {
                        errors.Add($"dataset '{name}' has no rows");
                    }
                }
                catch (ConfigException e)
                {
                    errors.AddRange(e.Problems.Select(p => $"dataset '{name}': {p}"));
                }
            }
        }
        catch (ConfigException e)
        {
            errors.AddRange(e.Problems);
        }

        return sources.Count;
    }

    private static bool[] Validate(RowSource source, int workers, List<BadSample> rejected, List<string> notices)
    {
        var pass = new RowPass(source, Kept - rejected.Count).Run(workers);
        rejected.AddRange(pass.Bad);
        notices.AddRange(source.Spec.Notices);
        if (pass.Use.Notice() is { } notice)
        {
            notices.Add(notice);
        }

        return pass.Good;
    }

    private static ConfigException Refusal(List<BadSample> rejected, int total)
    {
        var lines = rejected.Take(Listed).Select(r => r.ToString()).ToList();
        if (total > lines.Count)
        {
            lines.Add($"and {total - lines.Count} more rows; 'fovea data check' counts them by reason");
        }

        lines.Add("fix these rows, or set on_bad_sample: skip to leave them out");
        return new ConfigException(lines);
    }

    private static (int Source, int Row)[] All(List<RowSource> sources, int from, int to, DataOptions options, List<string> notices)
    {
        var lengths = sources.Skip(from).Take(to - from).Select(source => source.Count).ToList();
        var rows = new List<(int, int)>(lengths.Sum());
        var taken = new long[lengths.Count];
        foreach (var (source, row) in Mixing.Order(lengths, options.MixStrategy, options.InterleaveProbs, options.Seed))
        {
            rows.Add((from + source, row));
            taken[source]++;
        }

        if (options.MixStrategy != MixStrategy.Concat && lengths.Count > 1)
        {
            var parts = taken.Select((count, i) => $"{count:N0} of {sources[from + i].Spec.Name} ({lengths[i]:N0} rows)");
            notices.Add($"mixed with {options.MixStrategyName}: {rows.Count:N0} samples, {string.Join(", ", parts)}");
        }

        return [.. rows];
    }

    /// <summary>As <c>Dataset.train_test_split(test_size, seed)</c>: a permutation; its first part is set aside, the rest trained on.</summary>
    private static ((int Source, int Row)[] Train, (int Source, int Row)[] Eval) Split((int Source, int Row)[] rows, DataOptions options)
    {
        // Exactly 1 is a share of everything there, which leaves nothing to train on and is refused below.
        var count = options.ValSize > 1 ? (int)options.ValSize : (int)Math.Ceiling(options.ValSize * rows.Length);
        if (count >= rows.Length)
        {
            throw new ConfigException($"val_size: {options.ValSize} sets aside {count} of {rows.Length} rows and leaves none to train on");
        }

        var order = new NumpyRandom((ulong)options.Seed).Permutation(rows.Length);
        var shuffled = Array.ConvertAll(order, i => rows[i]);
        return (shuffled[count..], shuffled[..count]);
    }

    private static ConversationSet Usable(List<RowSource> sources, (int Source, int Row)[] rows, bool[][] good)
    {
        var kept = Array.FindAll(rows, r => good[r.Source][r.Row]);
        return new ConversationSet(sources, Array.ConvertAll(kept, r => r.Source), Array.ConvertAll(kept, r => r.Row));
    }
}
