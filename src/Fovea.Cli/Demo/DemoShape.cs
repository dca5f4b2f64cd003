namespace Fovea.Cli.Demo;

/// <summary>What a picture shows.</summary>
internal enum DemoShape
{
    Circle,
    Square,
    Triangle,
    Star,
}
