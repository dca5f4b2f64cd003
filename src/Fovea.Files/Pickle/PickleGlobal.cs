namespace Fovea.Files.Pickle;

/// <summary>A name of Python's that a pickle mentions. It is only ever compared with the few that tensors need, never looked up or called.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public string FullName => $"{Module}.{Name}";
}
