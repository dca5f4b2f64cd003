namespace Fovea.AspNetCore.Http;

/// <summary>How the answers to a request look, whole or in pieces.</summary>
internal interface IReplyForm
{
    /// <summary>The whole reply.</summary>
    /// <param name="answers">In the order of their indices.</param>
    /// <param name="usage">All tokens.</param>
    object Whole(IReadOnlyList<ServedAnswer> answers, object usage);

    /// <summary>What comes before the first piece of an answer; null for nothing.</summary>
    object? Begin(int index);

    /// <summary>A piece of an answer.</summary>
    IEnumerable<object> Piece(int index, ServedPiece piece);

    /// <summary>The last event, with the usage.</summary>
    object Last(object usage);
}
