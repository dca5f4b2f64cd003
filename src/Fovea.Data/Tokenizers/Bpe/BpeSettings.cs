namespace Fovea.Data.Tokenizers;

/// <summary>The switches of a BPE model in <c>tokenizer.json</c>.</summary>
/// <param name="ByteLevel">The pre-tokenizer ends in ByteLevel: symbols are bytes, not characters.</param>
/// <param name="IgnoreMerges">A piece that is itself in the vocabulary is emitted as it is.</param>
/// <param name="ByteFallback">A character outside the vocabulary becomes its UTF-8 bytes as <c>&lt;0xXX&gt;</c> tokens.</param>
/// <param name="UnknownId">Id for what has no token at all, or null to drop it.</param>
/// <param name="FuseUnknown">Neighbouring unknown characters give one unknown token.</param>
internal sealed record BpeSettings(bool ByteLevel, bool IgnoreMerges, bool ByteFallback, int? UnknownId, bool FuseUnknown);
