using System.Globalization;

namespace Fovea.Distributed;

/// <summary>The first failure of a run as the store keeps it, so that every rank names the same one.</summary>
internal sealed record MeshFailure(int Rank, string Host, string Cause)
{
    public string Text => string.Create(CultureInfo.InvariantCulture, $"{Rank}\n{Host}\n{Cause}");

    public static MeshFailure Parse(string text)
    {
        var parts = text.Split('\n', 3);
        return new MeshFailure(int.Parse(parts[0], CultureInfo.InvariantCulture), parts[1], parts[2]);
    }

    public MeshException ToException(Exception? inner = null) => new(Rank, Host, Cause, inner);
}
