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
    private readonly LineLog? file;

    private AnswerLog(LineLog? file) => this.file = file;

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

        var log = new AnswerLog(LineLog.Open(own)) { Found = found.Count };
        foreach (var (key, answer) in found)
        {
            log.answers[key] = answer;
        }

        if (log.file!.IsEmpty)
        {
            log.file.Add(JsonSerializer.Serialize(dependsOn, Json));
        }

        return log;
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
        file?.Add($"{{\"id\":{JsonSerializer.Serialize(id, Json)},\"turn\":{turn},\"answer\":{JsonSerializer.Serialize(answer, Json)}}}");
    }

    public void Dispose() => file?.Dispose();

    private static IEnumerable<string> Files(string folder) => LineLog.Files(folder, $"{Stem}*.jsonl");

    private static void Read(string file, IReadOnlyDictionary<string, string> dependsOn, Dictionary<(string, int), string> into)
    {
        foreach (var (i, text) in LineLog.Read(file).Index())
        {
            using var line = JsonFile.Parse(text, $"{file} (line {i + 1})");
            if (i == 0)
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
                throw new ConfigException($"{file} (line {i + 1}): not a line of answers; remove the file to begin anew");
            }
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
}
