namespace Fovea.Nn;

/// <summary>Told when the blocks of a model run: it sees that their weights are there, and may take them away in between.</summary>
internal interface IBlockGate
{
    /// <summary>The block runs forward next.</summary>
    void Enter(Block block);

    /// <summary>It has run. Its backward may still come.</summary>
    void Leave(Block block);

    /// <summary>Its backward begins: that of everything behind it has ended.</summary>
    void EnterBackward(Block block);
}
