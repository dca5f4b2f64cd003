namespace Fovea.Nn;

/// <summary>The parts of a vision-language model that users freeze or train as a whole.</summary>
internal enum ModelPart
{
    Vision,
    Projector,
    Language,
}
