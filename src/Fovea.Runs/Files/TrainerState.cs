using System.Text.Json;

namespace Fovea.Runs.Files;

/// <summary>
/// The progress of a run as Transformers keeps it in <c>trainer_state.json</c> (its <c>TrainerState</c>): counters and every logged number.
/// Written with sorted keys and an indent of 2; keys that this record does not know are kept.
/// </summary>
internal sealed record TrainerState
{
    public const string FileName = "trainer_state.json";

    /// <summary>Epochs done, fractional.</summary>
    public double Epoch { get; init; }

    /// <summary>Optimizer steps done.</summary>
    public int GlobalStep { get; init; }

    public int MaxSteps { get; init; }

    /// <summary>Epochs begun by the end of the run (rounded up).</summary>
    public int NumTrainEpochs { get; init; }

    public int LoggingSteps { get; init; } = 500;

    public int EvalSteps { get; init; } = 500;

    public int SaveSteps { get; init; } = 500;

    public int TrainBatchSize { get; init; }

    public long NumInputTokensSeen { get; init; }

    public double TotalFlos { get; init; }

    /// <summary>One entry a log event, each with its <c>step</c> and <c>epoch</c>.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, object?>> LogHistory { get; init; } = [];

    /// <summary>Where the run was taken up, or when the checkpoint was written; null where nothing says so.</summary>
    public RunMark? Mark { get; init; }

    /// <summary>What else the file held.</summary>
    public IReadOnlyDictionary<string, object?> Others { get; init; } = Defaults;

    private static Dictionary<string, object?> Defaults { get; } = new()
    {
        ["best_global_step"] = null,
        ["best_metric"] = null,
        ["best_model_checkpoint"] = null,
        ["is_hyper_param_search"] = false,
        ["is_local_process_zero"] = true,
        ["is_world_process_zero"] = true,
        ["trial_name"] = null,
        ["trial_params"] = null,
        ["stateful_callbacks"] = new Dictionary<string, object?>(),
    };

    /// <summary>Reads a state, for instance to resume from.</summary>
    /// <exception cref="ConfigException">The file is not a trainer state; names it and the key.</exception>
    public static TrainerState Load(string path)
    {
        var text = TextFile.Read(path);
        try
        {
            var map = PythonJson.ReadObject(text);
            return new TrainerState
            {
                Epoch = TakeReal(map, "epoch"),
                GlobalStep = (int)TakeCount(map, "global_step", int.MaxValue, required: true),
                MaxSteps = (int)TakeCount(map, "max_steps"),
                NumTrainEpochs = (int)TakeCount(map, "num_train_epochs"),
                LoggingSteps = (int)TakeCount(map, "logging_steps"),
                EvalSteps = (int)TakeCount(map, "eval_steps"),
                SaveSteps = (int)TakeCount(map, "save_steps"),
                TrainBatchSize = (int)TakeCount(map, "train_batch_size"),
                NumInputTokensSeen = TakeCount(map, "num_input_tokens_seen", 1L << 53),
                TotalFlos = TakeReal(map, "total_flos"),
                LogHistory = TakeLog(map),
                Mark = RunMark.Take(map),
                Others = map,
            };
        }
        catch (JsonException e)
        {
            throw new ConfigException($"{path}: not a readable trainer state: {e.Message}");
        }
    }

    /// <summary>The state in a folder; null where there is none that can be read.</summary>
    public static TrainerState? Find(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            return File.Exists(path) ? Load(path) : null;
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>Replaces <paramref name="path"/> in one step.</summary>
    public void Save(string path) => AtomicFile.WriteText(path, PythonJson.Pretty(ToMap(), indent: 2) + "\n");

    private static double TakeReal(Dictionary<string, object?> map, string key, bool required = false)
    {
        map.Remove(key, out var value);
        return value switch
        {
            long whole => whole,
            double real => real,
            null when !required => 0,
            _ => throw new JsonException($"{key} is missing or no number"),
        };
    }

    private static long TakeCount(Dictionary<string, object?> map, string key, long most = int.MaxValue, bool required = false)
    {
        // Where the number of steps is unknown, Transformers writes -1. Intervals below 1 are parts of the run, which is no count.
        var value = TakeReal(map, key, required);
        return value > 0 && value < 1 && !required ? 0
            : value == Math.Floor(value) && value >= -1 && value <= most ? (long)value
            : throw new JsonException($"{key} must be a whole number up to {most}, not {PythonJson.Float(value)}");
    }

    private static IReadOnlyDictionary<string, object?>[] TakeLog(Dictionary<string, object?> map)
    {
        map.Remove("log_history", out var log);
        return log switch
        {
            null => [],
            List<object?> list when list.All(entry => entry is IReadOnlyDictionary<string, object?>) => [.. list.Cast<IReadOnlyDictionary<string, object?>>()],
            _ => throw new JsonException("log_history must be a list of objects"),
        };
    }

    private Dictionary<string, object?> ToMap()
    {
        var map = Known();
        Mark?.Put(map);
        return map;
    }

    private Dictionary<string, object?> Known() => new(Others)
    {
        ["epoch"] = Epoch,
        ["global_step"] = GlobalStep,
        ["max_steps"] = MaxSteps,
        ["num_train_epochs"] = NumTrainEpochs,
        ["logging_steps"] = LoggingSteps,
        ["eval_steps"] = EvalSteps,
        ["save_steps"] = SaveSteps,
        ["train_batch_size"] = TrainBatchSize,
        ["num_input_tokens_seen"] = NumInputTokensSeen,
        ["total_flos"] = TotalFlos,
        ["log_history"] = LogHistory,
    };
}
