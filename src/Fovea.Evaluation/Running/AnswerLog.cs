using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Fovea.Evaluation.Running;

/// <summary>
/// Answers as they come, one line each in <c>answers.jsonl</c>, so that a run that was killed goes on. Every process appends to a file of its own; what any
/// of them wrote is known to all that open the folder later. The first line says what the answers depend on.
/// </summary>
internal sealed class AnswerLog : IDisposable
{
    private const string Stem = "answers";

    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Dictionary<(string Id, int Turn), string> answers = [];
    private readonly FileStream? stream;

    private AnswerLog(FileStream? stream) => this.stream = stream;

    /// <summary>How many answers were there when it was opened.</summary>
    public int Found { get; private init; }

    /// <summary>A log that is kept in memory alone.</summary>
    public static AnswerLog InMemory() => new(null);

    /// <summary>Opens the logs of a folder, and this process's own for more.</summary>
    /// <param name="dependsOn">What the answers depend on, by names that a reader understands.</param>
    /// <exception cref="ConfigException">The answers that lie there were made otherwise; says in what they differ.</exception>
    public static AnswerLog Open(string folder, IReadOnlyDictionary<string, string> dependsOn, int rank = 0)
    {
        var own = Path.Combine(folder, rank == 0 ? $"{Stem}.jsonl" : $"{Stem}.rank{rank}.jsonl");
        var found = new Dictionary<(string, int), string>();
        foreach (var file in Files(folder))
        {
            Read(file, dependsOn, found);
        }

        Directory.CreateDirectory(folder);
        var stream = new FileStream(own, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            stream.SetLength(WholeLines(stream));
            stream.Seek(0, SeekOrigin.End);
            var log = new AnswerLog(stream) { Found = found.Count };
            foreach (var (key, answer) in found)
            {
                log.answers[key] = answer;
            }

            if (stream.Length == 0)
            {
                log.Append(JsonSerializer.Serialize(dependsOn, Json));
            }

            return log;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>Takes in what other processes have appended to their files since.</summary>
    public void Refresh(string folder, IReadOnlyDictionary<string, string> dependsOn)
    {
        foreach (var file in Files(folder))
        {
            Read(file, dependsOn, answers);
        }
    }

    public string? Find(string id, int turn) => answers.GetValueOrDefault((id, turn));

    public void Add(string id, int turn, string answer)
    {
        answers[(id, turn)] = answer;
        if (stream is not null)
        {
            Append($"{{\"id\":{JsonSerializer.Serialize(id, Json)},\"turn\":{turn},\"answer\":{JsonSerializer.Serialize(answer, Json)}}}");
        }
    }

    public void Dispose() => stream?.Dispose();

    private static IEnumerable<string> Files(string folder) =>
        Directory.Exists(folder) ? Directory.EnumerateFiles(folder, $"{Stem}*.jsonl").Order(StringComparer.Ordinal) : [];

    private void Append(string line)
    {
        stream!.Write(Encoding.UTF8.GetBytes(line + "\n"));
        stream.Flush();
    }

    // A killed process leaves at most half a line at the end.
    private static void Read(string file, IReadOnlyDictionary<string, string> dependsOn, Dictionary<(string, int), string> into)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[WholeLines(stream)];
        stream.Seek(0, SeekOrigin.Begin);
        stream.ReadExactly(bytes);
        var (start, number) = (0, 0);
        while (Array.IndexOf(bytes, (byte)'\n', start) is var end and >= 0)
        {
            using var line = JsonFile.Parse(bytes.AsMemory(start, end - start), $"{file} (line {++number})");
            if (number == 1)
            {
                Compare(file, line.RootElement, dependsOn);
            }
            else if (line.RootElement is { ValueKind: JsonValueKind.Object } row
                && row.TryGetProperty("id", out var id) && row.TryGetProperty("turn", out var turn) && row.TryGetProperty("answer", out var answer))
            {
                into[(id.GetString()!, turn.GetInt32())] = answer.GetString()!;
            }
            else
            {
                throw new ConfigException($"{file} (line {number}): not a line of answers; remove the file to begin anew");
            }

            start = end + 1;
        }
    }

    private static void Compare(string file, JsonElement found, IReadOnlyDictionary<string, string> dependsOn)
    {
        var there = found.ValueKind == JsonValueKind.Object ? found.EnumerateObject().ToDictionary(p => p.Name, p => $"{p.Value}") : [];
        var differing = dependsOn.Keys.Union(there.Keys).Where(key => there.GetValueOrDefault(key) != dependsOn.GetValueOrDefault(key)).ToList();
        if (differing.Count > 0)
        {
            throw new ConfigException([
                $"{file} holds answers that were made otherwise; give another folder, or remove the file to begin anew. What differs:",
                .. differing.Select(key => $"  {key}: {Show(there, key)} there, {Show(dependsOn, key)} now"),
            ]);
        }

        static string Show(IReadOnlyDictionary<string, string> values, string key) =>
            values.TryGetValue(key, out var value) ? JsonSerializer.Serialize(value, Json) : "nothing";
    }

    private static long WholeLines(FileStream stream)
    {
        var buffer = new byte[1 << 16];
        for (var end = stream.Length; end > 0;)
        {
            var start = Math.Max(0, end - buffer.Length);
            stream.Seek(start, SeekOrigin.Begin);
            var part = buffer.AsSpan(0, (int)(end - start));
            stream.ReadExactly(part);
            if (part.LastIndexOf((byte)'\n') is var at and >= 0)
            {
                return start + at + 1;
            }

            end = start;
        }

        return 0;
    }
}
