using Fovea.Events;
using Fovea.Runs.Events;

namespace Fovea.Runs.Files;

/// <summary>Writes <c>training_args.yaml</c>, what the run was told, once it has trained something: until then the folder is the earlier run's.</summary>
internal sealed class ArgumentsSink(string outputDir, string arguments) : IEventSink
{
    /// <summary>As LLaMA-Factory's own board calls it.</summary>
    public const string FileName = "training_args.yaml";

    private bool written;

    public void Write(RunEvent e)
    {
        if (!written && LogEntries.ShowTraining(e))
        {
            Directory.CreateDirectory(outputDir);
            AtomicFile.WriteText(Path.Combine(outputDir, FileName), arguments);
            written = true;
        }
    }
}
