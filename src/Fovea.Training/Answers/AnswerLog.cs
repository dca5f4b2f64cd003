using System.Text;

namespace Fovea.Training.Answers;

/// <summary>
/// Answers as they come, a line each, in a file of this rank: what is there after a kill need not be asked again. The first line names what the answers depend
/// on; a file of anything else counts as empty.
/// </summary>
internal sealed class AnswerLog : IDisposable
{
    private readonly LineLog file;

    /// <summary>Opens the file of a rank to go on with it.</summary>
    /// <param name="fingerprint">What the answers depend on.</param>
    public AnswerLog(string folder, int rank, string fingerprint)
    {
        file = LineLog.Open(Path.Combine(folder, $"answers.rank{rank}.jsonl"), lines => Belongs(lines, fingerprint) ? 1 + Answers(lines).Count() : 0);
        if (file.IsEmpty)
        {
            file.Add(fingerprint);
        }
    }

    /// <summary>The answers that all ranks have left there, each row once.</summary>
    public static IReadOnlyList<RowAnswer> Read(string folder, string fingerprint) =>
        [.. Files(folder).Select(LineLog.Read).Where(lines => Belongs(lines, fingerprint)).SelectMany(Answers).DistinctBy(answer => answer.Row)];

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
    public void Add(RowAnswer answer) => file.Add(AnswerText.Line(answer));

    public void Dispose() => file.Dispose();

    private static string Mark(string folder) => Path.Combine(folder, "written");

    private static IEnumerable<string> Files(string folder) => LineLog.Files(folder, "answers.rank*.jsonl");

    private static bool Belongs(IReadOnlyList<ReadOnlyMemory<byte>> lines, string fingerprint) => lines.Count > 0 && Text(lines[0]) == fingerprint;

    private static IEnumerable<RowAnswer> Answers(IReadOnlyList<ReadOnlyMemory<byte>> lines) => AnswerText.Read(lines.Skip(1).Select(Text));

    private static string Text(ReadOnlyMemory<byte> line) => Encoding.UTF8.GetString(line.Span);
}
