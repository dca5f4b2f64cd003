namespace Fovea.Cli.Demo;

/// <summary>The colour of what a picture shows.</summary>
internal enum DemoColour
{
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Purple,
}
