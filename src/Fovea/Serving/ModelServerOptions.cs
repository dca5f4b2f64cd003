using Microsoft.Extensions.Logging;

namespace Fovea;

/// <summary>How much a <see cref="ModelServer"/> does at once, and what it refuses.</summary>
public sealed record ModelServerOptions
{
    /// <summary>Name of the model in requests and measurements; null: the name of its folder.</summary>
    public string? Name { get; init; }

    /// <summary>Most answers that are generated at once; at least 1. More wait.</summary>
    public int MaxRunning { get; init; } = 64;

    /// <summary>Most answers that wait for their turn; 0 or more. Requests beyond are refused with <see cref="ServerBusyException"/>.</summary>
    public int MaxQueued { get; init; } = 256;

    /// <summary>Most bytes of keys and values; at least 1 MiB. Null: a quarter of the memory that is there.</summary>
    public long? CacheBytes { get; init; }

    /// <summary>Most tokens of a prompt and its answer together; null: as many as the model and the cache take. At least 2.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Most tokens that a request may ask for as the length of its answer; null: no limit of its own. At least 1.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Most answers to one request (<see cref="GenerationOptions.Count"/>); at least 1.</summary>
    public int MaxAnswers { get; init; } = 16;

    /// <summary>Most images of one request; 0 or more.</summary>
    public int MaxImages { get; init; } = 16;

    /// <summary>Most pixels of one image as it is stored, looked up in its header before anything is decoded; at least 1.</summary>
    public long MaxImagePixels { get; init; } = 50_000_000;

    /// <summary>Logs what the server does, with ids and named values that docs/telemetry.md lists; null for nowhere. Called from any thread.</summary>
    public ILogger? Logger { get; init; }

    internal void Check()
    {
        var problems = new List<string>();
        Require(MaxRunning, 1, nameof(MaxRunning));
        Require(MaxQueued, 0, nameof(MaxQueued));
        Require(CacheBytes, 1 << 20, nameof(CacheBytes));
        Require(MaxTokens, 2, nameof(MaxTokens));
        Require(MaxNewTokens, 1, nameof(MaxNewTokens));
        Require(MaxAnswers, 1, nameof(MaxAnswers));
        Require(MaxImages, 0, nameof(MaxImages));
        Require(MaxImagePixels, 1, nameof(MaxImagePixels));
        if (problems.Count > 0)
        {
            throw new ConfigException(problems);
        }

        void Require(long? value, long least, string name)
        {
            if (value < least)
            {
                problems.Add($"{name} is {value}, must be at least {least}");
            }
        }
    }
}
