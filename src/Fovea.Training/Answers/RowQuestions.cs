using Fovea.Data.Datasets;
using Fovea.Data.Objects;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Evaluation.Objects;
using Fovea.Evaluation.Texts;
using Fovea.Generation;
using Fovea.Training.Session;

namespace Fovea.Training.Answers;

/// <summary>
/// Held-out rows as questions with labels, as LLaMA-Factory makes them: the prompt is everything before the last answer, the label that answer with what the
/// template puts behind it.
/// </summary>
/// <param name="setup">Writes conversations, names and places of objects among them.</param>
/// <param name="options">How answers are generated. Where they are drawn, each row has a seed of its own, so that its answer depends on no other row.</param>
/// <param name="skipSpecialTokens">Whether labels and answers are written without special tokens.</param>
internal sealed class RowQuestions(ConversationSet rows, DataSetup setup, GenerationOptions options, long seed, bool skipSpecialTokens)
{
    private readonly Tokenizer tokenizer = setup.Tokenizer;
    private readonly ObjectText objects = setup.Objects;

    public int Count => rows.Count;

    /// <summary>The question of a row; its tag is the row's number.</summary>
    /// <exception cref="BadSampleException">Its files have changed since they were looked at.</exception>
    public AnswerRequest Request(int row) => new(
        Asked(rows[row]), options.DoSample ? options with { Seed = SplitMix.Mix(options.Seed ?? (ulong)seed, (ulong)row) } : options) { Tag = row };

    /// <summary>The whole conversation of a row, names and places of objects as text unless <see cref="Problem"/> says why not.</summary>
    public Conversation Row(int row) => Problem(row) is null ? objects.Fill(rows[row]) : rows[row];

    /// <summary>Why the objects of a row cannot be written, those of its expected answer among them; null where they can.</summary>
    public FoveaException? Problem(int row)
    {
        try
        {
            objects.Fill(rows[row]);
            return null;
        }
        catch (BadSampleException e)
        {
            return e;
        }
    }

    /// <summary>The row as it was given.</summary>
    public Conversation Given(int row) => rows[row];

    /// <summary>How near the boxes and points of an answer are to those of the row's last answer; null where the row expects none.</summary>
    public ObjectScore? ScoreObjects(string answer, int row)
    {
        var filled = objects.Fill(rows[row], out var places);
        List<WrittenPlace> expected = [.. places.Where(place => place.Message == filled.Messages.Count - 1)];
        return expected.Count == 0 ? null : ObjectScore.Of(expected, answer, Placeholders.Join(filled.Messages[^1]));
    }

    /// <summary>A conversation without its last answer.</summary>
    public static Conversation Asked(Conversation row) => row with { Messages = [.. row.Messages.SkipLast(1)] };

    /// <summary>An answer as it is written.</summary>
    public string Written(ChatAnswer answer) => skipSpecialTokens ? answer.Text : tokenizer.Decode([.. answer.Generation.Ids]);

    /// <summary>The expected answer as it is written.</summary>
    public string Label(Conversation row) => Label(row, skipSpecialTokens);

    /// <summary>Scores an answer, as it is written, to a row: special tokens may be written, but count neither in it nor in the label.</summary>
    public TextScores Score(string answer, Conversation row) =>
        TextScores.Of(skipSpecialTokens ? answer : tokenizer.Decode(tokenizer.Encode(answer), skipSpecialTokens: true), Label(row, skipSpecial: true));

    /// <summary>What could not be answered, and where it is from.</summary>
    public BadSampleException Bad(int row, FoveaException problem)
    {
        var (dataset, number) = rows.Origin(row);
        return problem as BadSampleException ?? new BadSampleException(rows.Place(new BadSample(dataset, number, problem.Message), row), problem);
    }

    private string Label(Conversation row, bool skipSpecial)
    {
        var text = CallsTools(row) ?? ChatTemplate.Fill(setup.Template.Assistant, Placeholders.Join(row.Messages[^1]));
        return tokenizer.Decode(tokenizer.Encode(text), skipSpecial);
    }

    /// <summary>An expected answer that calls tools, as the model's own template writes it; null for others, and where it cannot be told.</summary>
    private string? CallsTools(Conversation row)
    {
        if (setup.Template.Model is null || !row.Messages[^1].Parts.Any(part => part is ToolCall))
        {
            return null;
        }

        var options = setup.Options with { MaskHistory = true, TrainOnPrompt = false, Scale = null };
        var encoder = new SampleEncoder(setup.Template, tokenizer, setup.Images, options);
        try
        {
            return encoder.LastAnswer(row, [.. row.Images.Select(image => setup.Images.PlanFor(row, image))]);
        }
        catch (BadSampleException)
        {
            return null;
        }
    }
}
