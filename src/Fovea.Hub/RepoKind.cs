namespace Fovea.Hub;

/// <summary>What a repository of a hub holds.</summary>
internal enum RepoKind
{
    Model,
    Dataset,
}
