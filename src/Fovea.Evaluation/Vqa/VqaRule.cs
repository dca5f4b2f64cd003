namespace Fovea.Evaluation.Vqa;

/// <summary>Whose rules make answers alike.</summary>
internal enum VqaRule
{
    /// <summary>The evaluator of the VQA challenge, by which published numbers are computed.</summary>
    Official,

    /// <summary>lmms-eval's for OK-VQA and TextVQA: always applied, and stronger on commas and "'s".</summary>
    LmmsEval,
}
