// What a program with AWS's document client does with a table: the test makes the table. Prints JSON.
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import * as lib from "@aws-sdk/lib-dynamodb";

const client = new DynamoDBClient({ maxAttempts: 1 });
const documents = lib.DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
const TableName = process.env.TABLE;
const Key = { id: "a", at: 1 };
const done = {};

const item = {
  ...Key,
  text: "héllo",
  empty: "",
  flag: false,
  none: null,
  left: undefined,
  real: 1.5,
  list: [1, "two", { three: 3 }],
  words: new Set(["x", "y"]),
  numbers: new Set([1, 2]),
  bytes: new Uint8Array([0, 255]),
};
await documents.send(new lib.PutCommand({ TableName, Item: item }));
const { Item } = await documents.send(new lib.GetCommand({ TableName, Key, ConsistentRead: true }));
done.got = { ...Item, words: [...Item.words].sort(), numbers: [...Item.numbers].sort(), bytes: [...Item.bytes] };

const updated = await documents.send(
  new lib.UpdateCommand({
    TableName,
    Key,
    UpdateExpression: "SET #list[0] = :zero, #map = :map ADD #real :half REMOVE flag",
    ConditionExpression: "attribute_exists(id) AND size(words) = :two",
    ExpressionAttributeNames: { "#list": "list", "#map": "map", "#real": "real" },
    ExpressionAttributeValues: { ":zero": 0, ":map": { deep: [{}] }, ":half": 0.5, ":two": 2 },
    ReturnValues: "UPDATED_NEW",
  }),
);
done.updated = updated.Attributes;

try {
  await documents.send(
    new lib.DeleteCommand({
      TableName,
      Key,
      ConditionExpression: "#text = :other",
      ExpressionAttributeNames: { "#text": "text" },
      ExpressionAttributeValues: { ":other": "other" },
    }),
  );
} catch (error) {
  done.refused = [error.name, error.$metadata.httpStatusCode];
}

const puts = Array.from({ length: 25 }, (_, at) => ({ PutRequest: { Item: { id: "b", at, size: at * 10 } } }));
const batch = await documents.send(new lib.BatchWriteCommand({ RequestItems: { [TableName]: puts } }));
done.unprocessed = Object.keys(batch.UnprocessedItems).length;

done.pages = [];
const query = {
  TableName,
  KeyConditionExpression: "id = :id AND #at BETWEEN :from AND :to",
  ExpressionAttributeNames: { "#at": "at" },
  ExpressionAttributeValues: { ":id": "b", ":from": 3, ":to": 12 },
};
for await (const page of lib.paginateQuery({ client: documents, pageSize: 4 }, query)) {
  done.pages.push(page.Items.map((one) => one.at));
}
let scanned = 0;
for await (const page of lib.paginateScan({ client: documents, pageSize: 10 }, { TableName })) scanned += page.Count;
done.scanned = scanned;

const Keys = [{ id: "b", at: 24 }, { id: "b", at: 99 }];
const several = await documents.send(new lib.BatchGetCommand({ RequestItems: { [TableName]: { Keys } } }));
done.several = several.Responses[TableName];

const actions = (amount) => [
  { Put: { TableName, Item: { id: "c", at: amount } } },
  {
    Update: {
      TableName,
      Key: { id: "b", at: 1 },
      UpdateExpression: "SET #size = #size - :amount",
      ConditionExpression: "#size >= :amount",
      ExpressionAttributeNames: { "#size": "size" },
      ExpressionAttributeValues: { ":amount": amount },
    },
  },
];
await documents.send(new lib.TransactWriteCommand({ TransactItems: actions(4), ClientRequestToken: "once" }));
await documents.send(new lib.TransactWriteCommand({ TransactItems: actions(4), ClientRequestToken: "once" }));
try {
  await documents.send(new lib.TransactWriteCommand({ TransactItems: actions(7) }));
} catch (error) {
  done.cancelled = [error.name, error.CancellationReasons.map((one) => one.Code)];
}
const both = [{ Get: { TableName, Key: { id: "b", at: 1 } } }, { Get: { TableName, Key: { id: "c", at: 7 } } }];
const read = await documents.send(new lib.TransactGetCommand({ TransactItems: both }));
done.read = read.Responses.map((one) => one.Item ?? null);

const Statement = `SELECT "size" FROM "${TableName}" WHERE id = ? AND "at" >= ?`;
const selected = await documents.send(new lib.ExecuteStatementCommand({ Statement, Parameters: ["b", 23] }));
done.selected = selected.Items;
console.log(JSON.stringify(done));
