namespace Fovea.Evaluation.Quick;

/// <summary>An option of a question: its letter and its text.</summary>
internal readonly record struct Choice(string Letter, string Text);
