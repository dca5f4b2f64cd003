using System.Text.Json;

namespace Fovea.Runs.Files;

/// <summary>
/// A file of JSON lines that a run writes as things happen. A new run replaces the file, a resumed one keeps the lines up to the step it resumes from:
/// either once it has trained something, not before.
/// </summary>
/// <param name="key">Where a line has its step.</param>
internal sealed class StepLines(string path, string key) : IDisposable
{
    private readonly List<string> waiting = [];
    private StreamWriter? file;

    /// <summary>The run has trained something.</summary>
    /// <param name="startStep">The step it resumes from; 0 for a new run.</param>
    public void Open(int startStep)
    {
        if (file is not null)
        {
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var kept = startStep > 0 && File.Exists(path) ? File.ReadLines(path).Where(line => IsUpTo(line, startStep)).ToList() : [];
        AtomicFile.WriteText(path, string.Concat(kept.Concat(waiting).Select(line => line + "\n")));
        waiting.Clear();
        file = new StreamWriter(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)) { AutoFlush = true };
    }

    public void Append(Dictionary<string, object?> line)
    {
        if (file is null)
        {
            waiting.Add(PythonJson.Line(line));
            return;
        }

        file.Write(PythonJson.Line(line) + "\n");
    }

    public void Dispose() => file?.Dispose();

    private bool IsUpTo(string line, int step)
    {
        try
        {
            return PythonJson.ReadObject(line).GetValueOrDefault(key) is long at && at <= step;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
