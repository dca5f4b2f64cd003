namespace Fovea.Nn;

/// <summary>Told when the named stretches of a model run: it sees that their weights are there, and may take them away in between.</summary>
public interface IBlockGate
{
    /// <summary>The stretch runs forward next.</summary>
    void Enter(string name);

    /// <summary>It has run. Its backward may still come.</summary>
    void Leave(string name);

    /// <summary>Its backward begins: that of everything behind it has ended.</summary>
    void EnterBackward(string name);
}
