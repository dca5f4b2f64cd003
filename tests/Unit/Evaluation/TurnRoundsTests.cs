using Fovea.Evaluation;
using Fovea.Evaluation.Running;

namespace Fovea.Tests.Unit.Evaluation;

public sealed class TurnRoundsTests
{
    private static readonly Dictionary<string, string> Depends = new() { ["model"] = "m", ["prompt"] = "p" };

    [Fact]
    public void A_later_turn_is_asked_with_the_models_own_earlier_answers()
    {
        var asked = new List<Conversation>();
        var log = AnswerLog.InMemory();
        var rounds = new TurnRounds([Item("a", "a1", "a2"), Item("b", "b1"), Item("c", "c1", "c2", "c3")], log);
        rounds.Run([0, 1, 2], Echo(asked));
        Assert.Equal(["a1", "b1", "c1", "a2", "c2", "c3"], asked.Select(of => Words(of.Messages[^1])));
        Assert.Equal(["c1", "to c1", "c2", "to c2", "c3"], asked[^1].Messages.Select(Words));
        Assert.Equal([Role.User, Role.Assistant, Role.User, Role.Assistant, Role.User], asked[^1].Messages.Select(message => message.Role));
        Assert.Equal(["to a1", "to a2"], rounds.Answers(0));
        Assert.Equal(0, rounds.Open([0, 1, 2]));
    }

    [Fact]
    public void What_was_given_stands_before_the_first_turn()
    {
        var asked = new List<Conversation>();
        var item = Item("a", "a1") with { Before = [Message.System("be kind"), Message.User("hi"), Message.Assistant("hello")] };
        new TurnRounds([item], AnswerLog.InMemory()).Run([0], Echo(asked));
        Assert.Equal(["be kind", "hi", "hello", "a1"], asked[0].Messages.Select(Words));
    }

    [Fact]
    public void An_item_that_cannot_be_asked_is_not_asked_further_and_the_others_are()
    {
        var rounds = new TurnRounds([Item("a", "a1", "a2"), Item("b", "b1", "b2")], AnswerLog.InMemory());
        rounds.Run([0, 1], asked => asked.Select(turn => turn.Item == 0 ? new AnsweredTurn(turn, null, "no picture") : new AnsweredTurn(turn, "yes")));
        Assert.Equal("no picture", Assert.Single(rounds.Problems).Value);
        Assert.Equal(["", ""], rounds.Answers(0));
        Assert.Equal(["yes", "yes"], rounds.Answers(1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(5)]
    public void A_run_that_was_killed_goes_on_with_the_same_result(int after)
    {
        using var folder = new TempFolder();
        BenchmarkItem[] items = [Item("a", "a1", "a2"), Item("b", "b1"), Item("c", "c1", "c2")];
        using (var log = AnswerLog.Open(folder.Path, Depends))
        {
            var rounds = new TurnRounds(items, log);
            var answered = 0;
            Assert.ThrowsAny<Exception>(() => rounds.Run([0, 1, 2], asked => asked.Select(turn =>
                answered++ == after ? throw new OperationCanceledException() : new AnsweredTurn(turn, $"to {Words(turn.Asked.Messages[^1])}")),
                () => _ = after == 5 ? throw new OperationCanceledException() : 0));
        }

        // A process that was killed while it wrote leaves half a line, perhaps within a character.
        using (var half = new FileStream(folder["answers.jsonl"], FileMode.Append))
        {
            half.Write([.. "{\"id\":\"c\",\"turn\":1,\"answer\":\""u8, 0xe7, 0x8c]);
        }

        using var again = AnswerLog.Open(folder.Path, Depends);
        var asked = new List<Conversation>();
        var second = new TurnRounds(items, again);
        second.Run([0, 1, 2], Echo(asked));
        Assert.Equal(5 - again.Found, asked.Count);
        Assert.Equal(["to a1", "to a2", "to b1", "to c1", "to c2"], Enumerable.Range(0, 3).SelectMany(second.Answers));
    }

    [Fact]
    public void Answers_that_were_made_otherwise_are_refused_with_what_differs()
    {
        using var folder = new TempFolder();
        AnswerLog.Open(folder.Path, Depends).Dispose();
        var changed = new Dictionary<string, string>(Depends) { ["prompt"] = "another\nprompt", ["adapters"] = "x" };
        var refused = Assert.Throws<ConfigException>(() => AnswerLog.Open(folder.Path, changed));
        Assert.Contains(refused.Problems, problem => problem.Contains("answers.jsonl", StringComparison.Ordinal));
        Assert.Contains(refused.Problems, problem => problem.Contains("prompt: \"p\" there, \"another\\nprompt\" now", StringComparison.Ordinal));
        Assert.Contains(refused.Problems, problem => problem.Contains("adapters: nothing there, \"x\" now", StringComparison.Ordinal));
        Assert.DoesNotContain(refused.Problems, problem => problem.Contains("model:", StringComparison.Ordinal));
    }

    [Fact]
    public void Processes_keep_files_of_their_own_and_know_each_others_answers()
    {
        using var folder = new TempFolder();
        using var first = AnswerLog.Open(folder.Path, Depends);
        using var second = AnswerLog.Open(folder.Path, Depends, rank: 1);
        first.Add("a", 0, "one");
        second.Add("b", 0, "zwei\n\u2028\"猫\"");
        Assert.Null(first.Find("b", 0));
        first.Refresh(folder.Path, Depends);
        Assert.Equal("zwei\n\u2028\"猫\"", first.Find("b", 0));
        Assert.Equal(["answers.jsonl", "answers.rank1.jsonl"], folder.Names());
        using var alone = AnswerLog.Open(folder.Path, Depends);
        Assert.Equal(2, alone.Found);
    }

    [Fact]
    public void Questions_about_one_image_follow_each_other_and_processes_share_evenly()
    {
        var pictures = Enumerable.Range(0, 3).Select(i => Image.FromBytes([1], $"{i}")).ToArray();
        var items = Enumerable.Range(0, 9).Select(i => Item($"{i}") with { Turns = [Message.User(pictures[i % 3], "?")] }).Append(Item("text", "t")).ToList();
        Assert.Equal([0, 3, 6, 1, 4, 7, 2, 5, 8, 9], AskOrder.Of(items));
        var parts = Enumerable.Range(0, 3).Select(rank => AskOrder.Of(items, rank, 3)).ToList();
        Assert.Equal(AskOrder.Of(items), parts.SelectMany(part => part));
        Assert.All(parts, part => Assert.InRange(part.Count, 3, 4));
    }

    [Fact]
    public void What_is_asked_has_a_print_that_changes_with_it()
    {
        BenchmarkItem[] items = [Item("a", "a1", "a2"), Item("b", "b1")];
        var print = QuestionPrint.Of(items);
        Assert.Equal(print, QuestionPrint.Of([items[0] with { Expected = "other" }, items[1]]));
        Assert.NotEqual(print, QuestionPrint.Of([items[1], items[0]]));
        Assert.NotEqual(print, QuestionPrint.Of([Item("a", "a1", "a3"), items[1]]));
        Assert.NotEqual(print, QuestionPrint.Of([Item("a", "a1a2"), items[1]]));
        Assert.NotEqual(print, QuestionPrint.Of([items[0] with { Before = [Message.System("s")] }, items[1]]));
    }

    private static Func<IEnumerable<AskedTurn>, IEnumerable<AnsweredTurn>> Echo(List<Conversation> asked) => turns => turns.Select(turn =>
    {
        asked.Add(turn.Asked);
        return new AnsweredTurn(turn, $"to {Words(turn.Asked.Messages[^1])}");
    });

    private static string Words(Message message) => string.Concat(message.Parts.OfType<Text>());

    private static BenchmarkItem Item(string id, params string[] turns) =>
        new() { Id = id, Turns = [.. turns.Select(turn => Message.User(turn))], Question = id, Expected = id };
}
