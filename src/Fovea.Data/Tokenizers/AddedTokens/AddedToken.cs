namespace Fovea.Data.Tokenizers;

/// <summary>A token that is found in the text before anything else happens to it.</summary>
/// <param name="Special">Left out when decoding skips special tokens.</param>
/// <param name="SingleWord">Only where no word character stands beside it.</param>
/// <param name="StripLeft">Takes the white space before it.</param>
/// <param name="StripRight">Takes the white space after it.</param>
/// <param name="Normalized">Looked for in the normalised text, with its own content normalised.</param>
internal sealed record AddedToken(int Id, string Content, bool Special, bool SingleWord, bool StripLeft, bool StripRight, bool Normalized);
