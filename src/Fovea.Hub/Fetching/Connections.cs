namespace Fovea.Hub.Fetching;

/// <summary>How a fetch divides its work.</summary>
/// <param name="Parallel">Requests at a time.</param>
/// <param name="PartBytes">The most that one request asks for.</param>
/// <param name="PieceBytes">What is written, and noted as there, at a time.</param>
internal sealed record Connections(int Parallel = 8, long PartBytes = 64 << 20, int PieceBytes = 1 << 20);
