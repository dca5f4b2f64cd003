namespace Fovea.Nn.Lora;

/// <summary>How the matrices of an adapter begin.</summary>
internal enum LoraStartKind
{
    /// <summary>A uniform in +-1/sqrt(in), B zero.</summary>
    Plain,

    /// <summary>A normal with deviation 1/r, B zero.</summary>
    Gaussian,

    /// <summary>Both drawn, on subspaces that are orthogonal to one another, so that B A is zero.</summary>
    Orthogonal,

    /// <summary>The weight's largest singular values (arXiv 2404.02948), which are taken out of it.</summary>
    Pissa,

    /// <summary>The first rows and columns of the weight's QR factors (arXiv 2406.01775), which are taken out of it.</summary>
    Olora,
}
