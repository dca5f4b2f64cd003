namespace Fovea.Models;

/// <summary>How a family's weights and layers are called: in files of any release, in the ledger, and in today's Transformers.</summary>
/// <param name="ToLedger">The ledger's spelling of a name found in a checkpoint or adapter; a name of the ledger stays as it is.</param>
/// <param name="ToModule">What today's Transformers calls a weight or layer of the ledger: PEFT adapters are saved under these names.</param>
internal sealed record NameMap(Func<string, string> ToLedger, Func<string, string> ToModule)
{
    /// <summary>Every release spells the names alike.</summary>
    public static NameMap Same { get; } = new(name => name, name => name);
}
