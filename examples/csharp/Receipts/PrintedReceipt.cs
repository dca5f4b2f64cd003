using System.Globalization;

namespace Receipts;

/// <summary>A receipt as a till prints it: the truth behind a drawn photograph.</summary>
internal sealed record PrintedReceipt(string Shop, DateOnly Date, IReadOnlyList<(string Name, decimal Price)> Goods)
{
    public const int LineLength = 10;
    public const int MostLines = 7;

    public static readonly string[] Shops = ["HARBOUR", "OLDMILL", "CORNER", "LINDEN", "FOXGLOVE", "STATION"];
    public static readonly string[] Names = ["TEA", "JAM", "RICE", "SOAP", "MILK", "EGGS", "PEAS", "OIL"];

    public decimal Total => Goods.Sum(line => line.Price);

    public decimal Vat => Math.Round(Total / 6, 2);

    /// <summary>What the business wants to know of it.</summary>
    public Receipt Record => new(Shop, Date, Goods.Count, Total);

    /// <summary>The words on the paper, line by line.</summary>
    public IReadOnlyList<string> Text =>
    [
        Shop,
        Day,
        .. Goods.Select(line => Row(line.Name, line.Price)),
        Row("TOTAL", Total),
        Row("VAT", Vat),
    ];

    /// <summary>The same in a sentence, as a model that was trained on pictures and their captions would say it.</summary>
    public string Caption => $"{Shop}, {Date:yyyy-MM-dd}, {Goods.Count} items, total {Money(Total)}, VAT {Money(Vat)}";

    private string Day => Date.ToString("dd.MM.yyyy", CultureInfo.InvariantCulture);

    public static PrintedReceipt Invent(Random random) => new(
        Shops[random.Next(Shops.Length)],
        new DateOnly(2026, 1, 1).AddDays(random.Next(365)),
        [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => (Names[random.Next(Names.Length)], random.Next(100, 1000) * 0.01m))]);

    private static string Row(string name, decimal amount) => name + Money(amount).PadLeft(LineLength - name.Length);

    private static string Money(decimal amount) => amount.ToString("0.00", CultureInfo.InvariantCulture);
}
