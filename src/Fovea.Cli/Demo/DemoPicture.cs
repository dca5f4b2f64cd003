namespace Fovea.Cli.Demo;

/// <summary>One drawn picture: its file and what it shows.</summary>
/// <param name="File">Relative to the data folder.</param>
internal sealed record DemoPicture(string File, DemoShape Shape, DemoColour Colour);
