using Fovea.Distributed;

namespace Fovea.Cli.Verbs;

/// <summary>Lines that rank 0 reads and every rank gets.</summary>
internal sealed class SharedReader(TextReader inner, Mesh mesh) : TextReader
{
    public override string? ReadLine() => mesh.FromMain("the next question", inner.ReadLine);
}
