using System.Diagnostics.CodeAnalysis;

namespace Fovea.Data.Packing;

/// <summary>Gives one optimizer step after another.</summary>
internal interface IStepSource
{
    /// <summary>Steps that can be taken without waiting.</summary>
    int Ready { get; }

    /// <summary>The next step, waited for if need be; false after the last. The caller disposes it.</summary>
    bool TryNext([NotNullWhen(true)] out StepBatch? step, CancellationToken cancellation = default);
}
