namespace Fovea.Data.Datasets;

/// <summary>The shape of a row, as <c>formatting</c> in <c>dataset_info.json</c> names it.</summary>
public enum RowFormat
{
    Alpaca,
    ShareGpt,
    OpenAi,
}
