namespace Fovea.Data.Sampling;

/// <summary>How several datasets become one.</summary>
internal enum MixStrategy
{
    /// <summary>One after the other.</summary>
    Concat,

    /// <summary>In turns until the first has ended.</summary>
    InterleaveUnder,

    /// <summary>In turns until the last has ended; those that end earlier begin again.</summary>
    InterleaveOver,

    /// <summary>In turns, every row once: those that have ended are passed over.</summary>
    InterleaveOnce,
}
