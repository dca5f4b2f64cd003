namespace Fovea.Cli.Demo;

/// <summary>What a model answered about a picture, and what is right.</summary>
internal sealed record DemoAnswer(DemoPicture Picture, string Answer, string Expected)
{
    public bool IsRight => Answer == Expected;
}
