"""Books orders from a queue. An order without an amount fails alone: the rest of its batch is done."""

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

logger, metrics, tracer = Logger(), Metrics(), Tracer()
processor = BatchProcessor(event_type=EventType.SQS)


@tracer.capture_method
def book(record: SQSRecord):
    order = record.json_body
    logger.append_keys(order_id=order["id"])
    amount = float(order["amount"])
    metrics.add_metric(name="OrdersBooked", unit=MetricUnit.Count, value=1)
    logger.info("booked", extra={"amount": amount})
    return order["id"]


@logger.inject_lambda_context
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event, context):
    return process_partial_response(event=event, record_handler=book, processor=processor, context=context)
