namespace Fovea.Evaluation.Vqa;

/// <summary>A data set of visual questions with ten answers each.</summary>
/// <param name="Name">As the command line spells it.</param>
/// <param name="Prefix">
/// What the names of its official files begin with, before <c>mscoco_</c> and <c>OpenEnded_mscoco_</c>; null where it has no such files.
/// </param>
internal sealed record VqaSet(string Name, string Title, string? Prefix)
{
    public static VqaSet OkVqa { get; } = new("okvqa", "OK-VQA: questions that need outside knowledge", string.Empty);

    public static VqaSet VqaV2 { get; } = new("vqav2", "VQAv2: open questions on COCO images", "v2_");

    public static VqaSet TextVqa { get; } = new("textvqa", "TextVQA: questions on text in images", null);

    /// <summary>A question as it is asked. lmms-eval writes TextVQA's with one capital, at the beginning.</summary>
    public string Spell(string question) => this == TextVqa && question.Length > 0
        ? string.Concat(char.ToUpperInvariant(question[0]).ToString(), question[1..].ToLowerInvariant()) : question;
}
