using Fovea.Data.Objects;
using Fovea.Data.Templates;

namespace Fovea.Data.Datasets;

/// <summary>Conversations that a program gives, instead of files. They are held in memory, and their images are read when they are needed.</summary>
internal sealed class GivenRows(string name, IReadOnlyList<Conversation> conversations, DataOptions options)
    : RowSource(new DatasetSpec(name, [], Shape: null))
{
    internal override int Count => Math.Min(conversations.Count, options.MaxSamples ?? conversations.Count);

    public override void Dispose()
    {
    }

    internal override Conversation? Read(int index, List<string> problems, ColumnUse? use = null)
    {
        var before = problems.Count;
        var given = conversations[index];
        if (given?.Messages is null || given.Messages.Any(message => message?.Parts is null || message.Parts.Any(part => part is null)))
        {
            problems.Add("is null, or has a message or part that is null");
            return null;
        }

        var conversation = given with { Origin = new ConversationOrigin(Spec.Name, index + 1) };
        try
        {
            foreach (var answer in Exchanges.Of(Outline(conversation), options.TakesTools).Turns.Select(turn => turn.Assistant).Where(IsEmpty))
            {
                problems.Add("an answer is empty");
            }
        }
        catch (BadSampleException e)
        {
            problems.Add(e.Sample.Reason);
        }

        var images = conversation.Images.Count;
        var places = conversation.Messages.SelectMany(message => message.Parts).OfType<ObjectPlace>();
        problems.AddRange(places.Select(place => PlaceCheck.Problem(place, images)).OfType<string>());
        foreach (var image in conversation.Images.Where(image => image.Path is { } path && !File.Exists(path)))
        {
            problems.Add($"image not found: {Path.GetFullPath(image.Path!)}");
        }

        return problems.Count == before ? conversation : null;
    }

    internal override BadSample Place(BadSample bad, int index) => bad;

    /// <summary>With text for objects, which are written when the row is encoded.</summary>
    private static Conversation Outline(Conversation given) => !ObjectText.IsNeeded(given) ? given : given with
    {
        Messages = [.. given.Messages.Select(message => message with
        {
            Parts = [.. message.Parts.Select(part => part is ObjectName or ObjectPlace ? new Text(RowObjects.PlaceMark) : part)],
        })],
    };

    private static bool IsEmpty(Message answer) => answer.Parts.All(part => part is Text text && string.IsNullOrWhiteSpace(text.Value));
}
