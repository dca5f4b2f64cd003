using System.Text.Json;
using Fovea.Keys;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>
/// The settings that decide what a run learns, as the configuration says of each key (<see cref="Effect.Learning"/>), but for those whose outcome is compared
/// instead (<see cref="Resumption.Check"/>). Where it runs and what it writes is not among them: ranks, sharding, memory, logging, saving and evaluation
/// may differ freely.
/// </summary>
internal static class RunSettings
{
    private const string Scheduler = "scheduler of deepspeed";

    /// <summary>Their values as the configuration's page writes them.</summary>
    public static IReadOnlyDictionary<string, string> Of(TrainConfig config)
    {
        var all = config.ToDictionary();
        var settings = ConfigKeys.All.Where(key => key is { Effect: Effect.Learning, As: null }).ToDictionary(key => key.Name, key => all[key.Name]);

        // It comes out of a file that may have been changed under the same name.
        settings.Add(Scheduler, config.Schedule.DeepSpeedSchedule is { } given ? JsonSerializer.Serialize(given with { Source = string.Empty }) : "null");
        return settings;
    }

    /// <summary>
    /// One sentence for all that differ, one for those of the adapter, in which the checkpoint's count, and one for all that the checkpoint does not tell,
    /// because it is of an earlier version; none where nothing does.
    /// </summary>
    public static IEnumerable<string> Differences(IReadOnlyDictionary<string, string>? then, IReadOnlyDictionary<string, string> now)
    {
        var goesOn = now["finetuning_type"] == "lora";
        var changed = now.Where(setting => then?.GetValueOrDefault(setting.Key, setting.Value) is { } value && value != setting.Value)
            .ToLookup(setting => goesOn && AdapterKeys.All.Contains(setting.Key));
        if (changed[false].Any())
        {
            yield return "the checkpoint was made with other settings, this run goes on with its own: "
                + string.Join(", ", changed[false].Select(setting => $"{setting.Key} {then![setting.Key]} -> {setting.Value}"));
        }

        if (changed[true].Any())
        {
            yield return "the checkpoint's adapter goes on as it is, so its settings count and not this run's: "
                + string.Join(", ", changed[true].Select(setting => $"{setting.Key} {then![setting.Key]} (this run has {setting.Value})"));
        }

        if (then is null)
        {
            yield return "the checkpoint is of an earlier version and does not record the settings that it was made with: "
                + "whether this run has the same is not known";
        }
        else if (now.Keys.Where(name => !then.ContainsKey(name)).ToList() is { Count: > 0 } unknown)
        {
            yield return $"the checkpoint is of an earlier version and does not record {string.Join(", ", unknown)}: "
                + "whether this run has the same is not known";
        }
    }
}
