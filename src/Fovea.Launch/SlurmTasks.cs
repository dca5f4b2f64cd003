using System.Globalization;
using System.Text;

namespace Fovea.Launch;

/// <summary>Slurm's short forms.</summary>
internal static class SlurmTasks
{
    /// <summary>The first host of a list: <c>gpu[07-09,12],login</c> is <c>gpu07</c>.</summary>
    public static string FirstHost(string list)
    {
        var host = new StringBuilder();
        for (var i = 0; i < list.Length && list[i] != ','; i++)
        {
            if (list[i] != '[')
            {
                host.Append(list[i]);
                continue;
            }

            var end = list.IndexOf(']', i);
            var inside = list[(i + 1)..(end < 0 ? list.Length : end)];
            host.Append(inside.Split(',', '-')[0]);
            i = end < 0 ? list.Length : end;
        }

        return host.ToString();
    }

    /// <summary>Tasks of one node: in <c>2(x3),1</c> the nodes 0, 1 and 2 have 2, the last has 1. Null where the list does not say.</summary>
    public static int? OfNode(string list, int node)
    {
        foreach (var part in list.Split(','))
        {
            var (count, times) = part.Split("(x") is [var head, var tail] ? (head, tail.TrimEnd(')')) : (part, "1");
            if (!int.TryParse(count, CultureInfo.InvariantCulture, out var tasks) || !int.TryParse(times, CultureInfo.InvariantCulture, out var nodes))
            {
                return null;
            }

            if ((node -= nodes) < 0)
            {
                return tasks;
            }
        }

        return null;
    }

    /// <summary>The same port on every node, another for the next job.</summary>
    public static int Port(long job, long step) => (int)(15000 + (((job * 7) + step) % 10000));
}
