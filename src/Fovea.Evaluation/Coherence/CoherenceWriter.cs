namespace Fovea.Evaluation.Coherence;

/// <summary>Writes the dialogues. The same number and seed give the same dialogues, pictures included.</summary>
internal sealed class CoherenceWriter(ulong seed)
{
    private const string OneWord = " Answer with one word.";
    private const string ANumber = " Answer with a number.";
    private const string JustOk = " Reply with OK.";

    private static readonly string[] Dogs = ["Juno", "Milo", "Nala", "Otto", "Rex", "Luna"];
    private static readonly string[] Towns = ["Lima", "Oslo", "Rome", "Kyoto", "Cairo", "Quito"];
    private static readonly string[] Sisters = ["Ada", "Cleo", "Eva", "Hana", "Iris", "Mona"];
    private static readonly (string Text, string Answer)[] General =
    [
        ("How many days does a week have?", "7"), ("How many legs does a spider have?", "8"), ("How many corners does a triangle have?", "3"),
        ("How many months does a year have?", "12"), ("How many wheels does a bicycle have?", "2"), ("How many hours does a day have?", "24"),
    ];

    private readonly List<CoherenceTurn> turns = [];
    private ulong drawn;

    /// <summary>One dialogue; there are three sorts, in turn.</summary>
    public static IReadOnlyList<CoherenceTurn> Write(ulong seed, int number)
    {
        var writer = new CoherenceWriter(SplitMix.Mix(seed, (ulong)number));
        switch (number % 3)
        {
            case 0:
                writer.Facts();
                break;
            case 1:
                writer.ChangedFact();
                break;
            default:
                writer.Pictures(number);
                break;
        }

        return writer.turns;
    }

    /// <summary>Three facts at once, asked for later; one of them twice.</summary>
    private void Facts()
    {
        var (dog, town, age) = (Of(Dogs), Of(Towns), $"{3 + Next(15)}");
        Say($"My dog is called {dog}. I live in {town}, and my son is {age} years old.{JustOk}");
        Ask("fact", $"Where do I live?{OneWord}", town, Towns, "town");
        AskGeneral();
        Ask("fact", $"What is my dog called?{OneWord}", dog, Dogs, "dog");
        Ask("fact", $"How old is my son?{ANumber}", age, [], "age");
        AskGeneral();
        Ask("fact", $"Tell me again: where do I live?{OneWord}", town, Towns, "town");
    }

    /// <summary>A fact that is corrected: what counts is what was said last.</summary>
    private void ChangedFact()
    {
        var (first, then) = TwoOf(Sisters);
        var count = 2 + Next(7);
        var more = 1 + Next(6);
        Say($"My sister is called {first}. She has {count} cats.{JustOk}");
        Ask("fact", $"What is my sister called?{OneWord}", first, Sisters, "sister before");
        AskGeneral();
        Say($"I made a mistake: my sister is called {then}. And she has got {more} more cats today.{JustOk}");
        Ask("changed fact", $"What is my sister called?{OneWord}", then, Sisters, "sister");
        Ask("changed fact", $"How many cats does she have now?{ANumber}", $"{count + more}", [], "cats");
        AskGeneral();
        Ask("changed fact", $"Once more: what is my sister called?{OneWord}", then, Sisters, "sister");
    }

    /// <summary>Two pictures, asked about at once and again when the other one has been shown.</summary>
    private void Pictures(int number)
    {
        var ((colour, second), (shape, other)) = (Two(CoherencePicture.Colours.Count), Two(CoherencePicture.Shapes.Count));
        var (colours, shapes) = (CoherencePicture.Colours, CoherencePicture.Shapes);
        Ask("picture", $"Which colour is the shape in this picture?{OneWord}", colours[colour], colours, "first colour", Picture(shape, colour, number, 1));
        AskGeneral();
        Ask("picture", $"Which shape is in this second picture: circle, square, triangle or cross?{OneWord}", shapes[other], shapes, "second shape",
            Picture(other, second, number, 2));
        Ask("earlier picture", $"Which colour was the shape in the first picture?{OneWord}", colours[colour], colours, "first colour");
        Ask("earlier picture", $"Which shape was in the first picture: circle, square, triangle or cross?{OneWord}", shapes[shape], shapes, "first shape");
        AskGeneral();
        Ask("earlier picture", $"And which colour was the shape in the second picture?{OneWord}", colours[second], colours, "second colour");
        Ask("earlier picture", $"Again, which shape was in the second picture?{OneWord}", shapes[other], shapes, "second shape");
    }

    private Image Picture(int shape, int colour, int dialogue, int number)
    {
        var radius = 0.2 + (0.15 * Part());
        var (x, y) = (radius + ((1 - (2 * radius)) * Part()), radius + ((1 - (2 * radius)) * Part()));
        return new Image(CoherencePicture.Draw(shape, colour, x, y, radius, $"dialogue-{dialogue + 1}-{number}.png"));
    }

    private void Say(string text) => turns.Add(new CoherenceTurn(Message.User(text), null));

    private void Ask(string kind, string text, string expected, IReadOnlyList<string> candidates, string same, params Part[] pictures) =>
        turns.Add(new CoherenceTurn(Message.User([.. pictures, text]), new CoherenceQuestion(kind, expected, candidates, same)));

    private void AskGeneral()
    {
        var (text, answer) = General[Next(General.Length)];
        Ask("general", text + ANumber, answer, [], text);
    }

    private int Next(int below) => (int)Math.BigMul(SplitMix.Mix(seed, drawn++), (ulong)below, out _);

    private double Part() => Next(1 << 20) / (double)(1 << 20);

    private string Of(string[] names) => names[Next(names.Length)];

    private (int, int) Two(int below)
    {
        var first = Next(below);
        return (first, (first + 1 + Next(below - 1)) % below);
    }

    private (string, string) TwoOf(string[] names)
    {
        var (first, second) = Two(names.Length);
        return (names[first], names[second]);
    }
}
