namespace Fovea.Evaluation.Running;

/// <summary>
/// Asks the turns of items in rounds: the first turns of all, then the second ones with the model's own first answers as history, and so on. Answers that
/// the log holds are not asked for again.
/// </summary>
/// <param name="items">The whole benchmark.</param>
/// <param name="log">Holds earlier answers and takes new ones.</param>
internal sealed class TurnRounds(IReadOnlyList<BenchmarkItem> items, AnswerLog log)
{
    private readonly Dictionary<int, string> problems = [];

    /// <summary>Why items were not answered to their end, by their places.</summary>
    public IReadOnlyDictionary<int, string> Problems => problems;

    /// <summary>How many questions the log does not answer yet.</summary>
    public int Open(IEnumerable<int> of) => of.Sum(i => items[i].Turns.Count - Answered(i));

    /// <param name="of">Places of the items to ask, in the order of asking.</param>
    /// <param name="ask">Answers questions, in any order; takes the next ones as it has room.</param>
    /// <param name="told">Called after every answer.</param>
    public void Run(IReadOnlyList<int> of, Func<IEnumerable<AskedTurn>, IEnumerable<AnsweredTurn>> ask, Action? told = null)
    {
        // As many rounds in every process, whatever its items: processes that gather weights together go through all of them.
        var rounds = items.Select(item => item.Turns.Count).DefaultIfEmpty(0).Max();
        for (var turn = 0; turn < rounds; turn++)
        {
            var now = of.Where(i => items[i].Turns.Count > turn && Answered(i) == turn && !problems.ContainsKey(i));
            foreach (var answer in ask(now.ToList().Select(i => new AskedTurn(i, turn, Conversation(i, turn)))))
            {
                if (answer.Text is { } text)
                {
                    log.Add(items[answer.Asked.Item].Id, turn, text);
                }
                else
                {
                    problems[answer.Asked.Item] = answer.Problem ?? "no answer";
                }

                told?.Invoke();
            }
        }
    }

    /// <summary>The answers to an item, as many as there are turns; what was not answered is empty.</summary>
    public IReadOnlyList<string> Answers(int item) =>
        [.. Enumerable.Range(0, items[item].Turns.Count).Select(turn => log.Find(items[item].Id, turn) ?? string.Empty)];

    private int Answered(int item)
    {
        var turns = items[item].Turns.Count;
        for (var turn = 0; turn < turns; turn++)
        {
            if (log.Find(items[item].Id, turn) is null)
            {
                return turn;
            }
        }

        return turns;
    }

    private Conversation Conversation(int item, int turn)
    {
        var messages = new List<Message>(items[item].Before);
        for (var i = 0; i <= turn; i++)
        {
            messages.Add(items[item].Turns[i]);
            if (i < turn)
            {
                messages.Add(Message.Assistant(log.Find(items[item].Id, i)!));
            }
        }

        return new Conversation(messages);
    }
}
