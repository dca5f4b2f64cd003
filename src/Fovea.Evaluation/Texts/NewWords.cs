namespace Fovea.Evaluation.Texts;

/// <summary>
/// Words that stand in no dictionary, as jieba finds them: each Chinese character begins, continues or ends a word, or is one, and the likeliest sequence
/// under jieba's hidden Markov model is taken (Viterbi).
/// </summary>
internal sealed class NewWords
{
    // The order of the states' letters decides between equal probabilities, as in the original, which compares pairs of number and letter.
    private const int Begin = 0, End = 1, Middle = 2, Single = 3;
    private const double Never = -3.14e100;
    private static readonly Lazy<NewWords> Loaded = new(() => new NewWords());
    private static readonly double[] Start = [-0.26268660809250016, Never, Never, -1.4652633398537678];

    // What may stand before each state.
    private static readonly int[][] Before = [[End, Single], [Begin, Middle], [Begin, Middle], [End, Single]];
    private readonly double[,] moves = new double[4, 4];
    private readonly Dictionary<char, double>[] emissions = [[], [], [], []];

    private NewWords()
    {
        using var move = JsonText.Parse(Bytes("prob_trans.json"));
        using var emission = JsonText.Parse(Bytes("prob_emit.json"));
        for (var state = 0; state < 4; state++)
        {
            for (var next = 0; next < 4; next++)
            {
                moves[state, next] = move.RootElement.GetProperty(Letter(state)).TryGetProperty(Letter(next), out var value) ? value.GetDouble() : Never;
            }

            foreach (var character in emission.RootElement.GetProperty(Letter(state)).EnumerateObject())
            {
                emissions[state][character.Name[0]] = character.Value.GetDouble();
            }
        }
    }

    public static NewWords Shared => Loaded.Value;

    /// <param name="text">Chinese characters; at least one.</param>
    public IEnumerable<string> Cut(string text)
    {
        var states = Likeliest(text);
        var (begin, rest) = (0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            switch (states[i])
            {
                case Begin:
                    begin = i;
                    break;
                case End:
                    yield return text[begin..(i + 1)];
                    rest = i + 1;
                    break;
                case Single:
                    yield return text[i..(i + 1)];
                    rest = i + 1;
                    break;
            }
        }

        if (rest < text.Length)
        {
            yield return text[rest..];
        }
    }

    private int[] Likeliest(string text)
    {
        var best = new double[text.Length, 4];
        var from = new int[text.Length, 4];
        for (var state = 0; state < 4; state++)
        {
            best[0, state] = Start[state] + Emission(state, text[0]);
        }

        for (var i = 1; i < text.Length; i++)
        {
            for (var state = 0; state < 4; state++)
            {
                var (first, second) = (Before[state][0], Before[state][1]);
                var emission = Emission(state, text[i]);
                var a = best[i - 1, first] + moves[first, state] + emission;
                var b = best[i - 1, second] + moves[second, state] + emission;
                (best[i, state], from[i, state]) = a > b ? (a, first) : (b, second);
            }
        }

        var states = new int[text.Length];
        states[^1] = best[text.Length - 1, End] > best[text.Length - 1, Single] ? End : Single;
        for (var i = text.Length - 1; i > 0; i--)
        {
            states[i - 1] = from[i, states[i]];
        }

        return states;
    }

    private double Emission(int state, char c) => emissions[state].GetValueOrDefault(c, Never);

    private static string Letter(int state) => "BEMS".Substring(state, 1);

    private static byte[] Bytes(string name)
    {
        using var stream = WordFrequencies.Resource(name);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
    }
}
