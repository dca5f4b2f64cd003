namespace Fovea.Evaluation.Running;

/// <summary>In which order questions are asked, and by which process.</summary>
internal static class AskOrder
{
    /// <summary>
    /// The items of one process: an even part, in the order of the files, except that questions about one image follow each other, since then the image is
    /// computed once.
    /// </summary>
    /// <param name="rank">Number of the process, from 0.</param>
    public static IReadOnlyList<int> Of(IReadOnlyList<BenchmarkItem> items, int rank = 0, int ranks = 1)
    {
        var groups = new Dictionary<object, List<int>>();
        for (var i = 0; i < items.Count; i++)
        {
            var key = (object?)items[i].Turns.SelectMany(turn => turn.Parts).OfType<Image>().FirstOrDefault()?.Source ?? items[i];
            (groups.TryGetValue(key, out var group) ? group : groups[key] = []).Add(i);
        }

        var order = groups.Values.OrderBy(group => group[0]).SelectMany(group => group).ToList();
        var (first, end) = (Cut(rank), Cut(rank + 1));
        return order[first..end];

        int Cut(int at) => (int)((long)order.Count * at / ranks);
    }
}
