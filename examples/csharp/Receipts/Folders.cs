namespace Receipts;

/// <summary>Where everything lies that the program makes.</summary>
internal sealed record Folders(string Root)
{
    public string Data => Path.Combine(Root, "data");

    /// <summary>The tiny model with random weights.</summary>
    public string Blank => Path.Combine(Root, "blank");

    /// <summary>The tiny model that reads lines.</summary>
    public string Lines => Path.Combine(Root, "lines");

    /// <summary>The tiny model that describes receipts: the base, where no other is named.</summary>
    public string Base => Path.Combine(Root, "base");

    public string Adapter => Path.Combine(Root, "adapter");
}
