namespace Fovea.Data.Sampling;

/// <summary>Whose turn it is in a mix, row after row: told when a dataset has given its last, it knows when the mix is over.</summary>
/// <param name="probabilities">How often each dataset is drawn; empty takes them in turns.</param>
/// <param name="random">Draws; one number a turn.</param>
/// <param name="wholeRounds">Without probabilities the round in which the mix ends is finished: so it is with tables, and not with streams.</param>
internal sealed class MixTurns(int datasets, MixStrategy strategy, IReadOnlyList<double> probabilities, NumpyRandom random, bool wholeRounds)
{
    private readonly double[] shares = Cumulated(probabilities);
    private readonly bool[] ended = new bool[datasets];
    private int last = -1;

    public MixTurnsState State
    {
        get => new(last, [.. ended], random.State);
        set
        {
            last = value.Last;
            random.State = value.Random;
            value.Ended.ToArray().CopyTo(ended, 0);
        }
    }

    /// <summary>The dataset that gives the next row; null where the mix is over.</summary>
    public int? Next()
    {
        while (!IsOver)
        {
            last = shares.Length == 0 ? (last + 1) % datasets : random.Choice(shares);
            if (strategy != MixStrategy.InterleaveOnce || !ended[last])
            {
                return last;
            }
        }

        return null;
    }

    /// <summary>A dataset has given its last row; where the mix goes on it begins again, or is passed over.</summary>
    public void Ended(int dataset) => ended[dataset] = true;

    private bool IsOver =>
        (strategy == MixStrategy.InterleaveUnder ? Array.Exists(ended, one => one) : Array.TrueForAll(ended, one => one))
        && (strategy == MixStrategy.InterleaveOnce || !wholeRounds || shares.Length > 0 || last == datasets - 1);

    private static double[] Cumulated(IReadOnlyList<double> probabilities)
    {
        var sums = new double[probabilities.Count];
        for (var i = 0; i < sums.Length; i++)
        {
            sums[i] = (i == 0 ? 0 : sums[i - 1]) + probabilities[i];
        }

        return Array.ConvertAll(sums, sum => sum / sums[^1]);
    }
}
