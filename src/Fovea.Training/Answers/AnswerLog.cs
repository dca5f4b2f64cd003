using System.Text;

namespace Fovea.Training.Answers;

/// <summary>
/// Answers as they come, a line each, in a file of this rank: what is there after a kill need not be asked again. The first line names what the answers depend
/// on; a file of anything else counts as empty.
/// </summary>
internal sealed class AnswerLog : IDisposable
{
    private readonly FileStream file;

    /// <summary>Opens the file of a rank to go on with it.</summary>
    /// <param name="fingerprint">What the answers depend on.</param>
    public AnswerLog(string folder, int rank, string fingerprint)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, $"answers.rank{rank}.jsonl");

        // A line that was cut short goes, so that the next one does not continue it.
        var kept = File.Exists(path) ? Answers(path, fingerprint) : [];
        AtomicFile.WriteText(path, $"{fingerprint}\n{AnswerText.Of(kept)}");
        file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);
    }

    /// <summary>The answers that all ranks have left there, each row once.</summary>
    public static IReadOnlyList<RowAnswer> Read(string folder, string fingerprint) =>
        [.. Files(folder).SelectMany(path => Answers(path, fingerprint)).DistinctBy(answer => answer.Row)];

    /// <summary>Forgets all answers.</summary>
    public static void Clear(string folder)
    {
        foreach (var path in Files(folder).Append(Mark(folder)))
        {
            File.Delete(path);
        }
    }

    /// <summary>Notes that files have been made of the answers.</summary>
    public static void MarkWritten(string folder, string fingerprint) => AtomicFile.WriteText(Mark(folder), fingerprint);

    /// <summary>Whether files have been made of these answers.</summary>
    public static bool IsWritten(string folder, string fingerprint) =>
        File.Exists(Mark(folder)) && Encoding.UTF8.GetString(File.ReadAllBytes(Mark(folder))) == fingerprint;

    /// <summary>Keeps an answer.</summary>
    public void Add(RowAnswer answer) => file.Write(Encoding.UTF8.GetBytes(AnswerText.Line(answer) + "\n"));

    public void Dispose() => file.Dispose();

    private static string Mark(string folder) => Path.Combine(folder, "written");

    private static IEnumerable<string> Files(string folder) =>
        Directory.Exists(folder) ? Directory.GetFiles(folder, "answers.rank*.jsonl").Order(StringComparer.Ordinal) : [];

    private static List<RowAnswer> Answers(string path, string fingerprint)
    {
        var bytes = File.ReadAllBytes(path);
        var text = Encoding.UTF8.GetString(bytes, 0, bytes.AsSpan().LastIndexOf((byte)'\n') + 1);
        var head = text.IndexOf('\n');
        return head > 0 && text[..head] == fingerprint ? [.. AnswerText.Read(text[head..])] : [];
    }
}
