using System.Text.Json;
using System.Text.Json.Serialization;
using Fovea.Training.Optim;

namespace Fovea.Training.Session;

/// <summary>Where a run stands, and what it was made of, so that a resumed run can tell whether it is the same one.</summary>
internal sealed record RunProgress
{
    /// <summary>Optimizer steps done.</summary>
    public required int Step { get; init; }

    public required int TotalSteps { get; init; }

    /// <summary>Training samples of one epoch.</summary>
    public required int Samples { get; init; }

    /// <summary>Samples that make one step: batch size x accumulation x ranks.</summary>
    public required int SamplesPerStep { get; init; }

    public required long Seed { get; init; }

    /// <summary>Most tokens of a micro-batch: another packing rounds differently, so a resumed run keeps it.</summary>
    public int MicroBatchTokens { get; init; }

    /// <summary>Folder of the model that the run began with.</summary>
    public string? BaseModel { get; init; }

    /// <summary>
    /// What keys that only one family has come to (<c>llm_type</c>), each at the top of the file under its own name; null where the family has none such.
    /// </summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement>? Family { get; init; }

    /// <summary>Name of the chat template; null in checkpoints of earlier versions.</summary>
    public string? Template { get; init; }

    /// <summary>What else decides what is learnt, by key of the configuration; null in checkpoints of earlier versions.</summary>
    public IReadOnlyDictionary<string, string>? Settings { get; init; }

    /// <summary>
    /// What was decided for this run by name and must stay so however it goes on, whatever another machine would decide; null where nothing was.
    /// A resumed run takes it over as it is: <see cref="Choice"/>, <see cref="With(string, string)"/>.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Choices { get; init; }

    /// <summary>Of a checkpoint: what is written later in the same folder has a higher number; 0 in checkpoints of earlier versions.</summary>
    public int Order { get; init; }

    /// <summary>How the loss is scaled for fp16; null in other types.</summary>
    public LossScale? Scale { get; init; }

    /// <summary>Steps that were left out because fp16 gradients overflowed.</summary>
    public int Overflows { get; init; }

    /// <summary>Tokens through the model so far.</summary>
    public long Tokens { get; init; }

    /// <summary>Steps that another program made before, whose losses are not known.</summary>
    public int ForeignSteps { get; init; }

    /// <summary>Steps that have no loss: no token was trained in them.</summary>
    public int StepsWithoutLoss { get; init; }

    /// <summary>Sum of the losses of all other steps so far.</summary>
    public double LossSum { get; init; }

    /// <summary>Mean of those losses; null without any.</summary>
    [JsonIgnore]
    public double? MeanLoss => Step - ForeignSteps - StepsWithoutLoss is > 0 and var steps ? LossSum / steps : null;

    /// <summary>What a key of one family came to; null where it is not known, or the family is another.</summary>
    public string? Outcome(string key) =>
        Family is not null && Family.TryGetValue(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>The same run with what the family's keys come to.</summary>
    public RunProgress With(IReadOnlyDictionary<string, string?> outcomes) => this with
    {
        Family = outcomes.ToDictionary(outcome => outcome.Key, outcome => JsonSerializer.SerializeToElement(outcome.Value)),
    };

    /// <summary>What was decided under a name; null where nothing was.</summary>
    public string? Choice(string name) => Choices?.GetValueOrDefault(name);

    /// <summary>The same run with something decided.</summary>
    public RunProgress With(string name, string choice) =>
        this with { Choices = new Dictionary<string, string>(Choices ?? new Dictionary<string, string>()) { [name] = choice } };

    /// <summary>One step further.</summary>
    /// <param name="tokens">Tokens of the step.</param>
    /// <param name="loss">Its loss; null where it has none.</param>
    public RunProgress Done(long tokens, double? loss) => this with
    {
        Step = Step + 1,
        Tokens = Tokens + tokens,
        LossSum = LossSum + (loss ?? 0),
        StepsWithoutLoss = StepsWithoutLoss + (loss is null ? 1 : 0),
    };

    /// <summary>What cannot be in a file that a run wrote; null where all is well.</summary>
    internal string? Damage() =>
        Step < 0 || Step > TotalSteps ? $"step {Step} of {TotalSteps}"
        : Samples < 1 || SamplesPerStep < 1 ? $"{Samples} samples, {SamplesPerStep} a step"
        : ForeignSteps < 0 || ForeignSteps > Step || Overflows < 0 || Tokens < 0 || MicroBatchTokens < 0 ? "a count below 0 or above the steps"
        : !double.IsFinite(LossSum) ? $"loss_sum {LossSum}"
        : Scale is { } scale && !(double.IsFinite(scale.Value) && scale.Value > 0 && scale.GoodSteps >= 0) ? "a scale that is no positive number"
        : null;

    /// <summary>After a step whose loss and gradients were finite or not: in fp16 the scale follows.</summary>
    /// <returns>Null where the run cannot go on.</returns>
    public RunProgress? Rescaled(bool finite) => Scale?.After(finite) switch
    {
        null => finite ? this : null,
        { IsTooSmall: true } => null,
        var next => this with { Scale = next, Overflows = Overflows + (finite ? 0 : 1) },
    };
}
