#import "ApiRequests.h"
#import <CommonCrypto/CommonCrypto.h>

NSErrorDomain const ApiErrorDomain = @"ApiErrorDomain";

@implementation ApiAnswer
@end

@implementation ApiRequests {
    NSString *_url;
    NSString *_region;
}

- (instancetype)initWithURL:(NSString *)url region:(NSString *)region {
    if ((self = [super init])) {
        _url = [url hasSuffix:@"/"] ? [url substringToIndex:url.length - 1] : [url copy];
        _region = [region copy];
    }
    return self;
}

static NSString *encode(NSString *text) {
    NSString *plain = @"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    return [text stringByAddingPercentEncodingWithAllowedCharacters:[NSCharacterSet characterSetWithCharactersInString:plain]];
}

static NSString *encodePath(NSString *path) {
    NSMutableArray *parts = [NSMutableArray array];
    for (NSString *part in [path componentsSeparatedByString:@"/"]) [parts addObject:encode(part)];
    return [parts componentsJoinedByString:@"/"];
}

static NSString *hex(NSData *data) {
    NSMutableString *text = [NSMutableString string];
    const unsigned char *bytes = data.bytes;
    for (NSUInteger at = 0; at < data.length; at++) [text appendFormat:@"%02x", bytes[at]];
    return text;
}

static NSString *digest(NSData *data) {
    unsigned char out[CC_SHA256_DIGEST_LENGTH];
    CC_SHA256(data.bytes, (CC_LONG)data.length, out);
    return hex([NSData dataWithBytes:out length:sizeof(out)]);
}

static NSData *hmac(NSData *key, NSString *text) {
    unsigned char out[CC_SHA256_DIGEST_LENGTH];
    NSData *data = [text dataUsingEncoding:NSUTF8StringEncoding];
    CCHmac(kCCHmacAlgSHA256, key.bytes, key.length, data.bytes, data.length, out);
    return [NSData dataWithBytes:out length:sizeof(out)];
}

- (NSURLSessionTask *)send:(NSString *)verb
                      path:(NSString *)path
                     place:(NSDictionary<NSString *, id> *)place
                     query:(NSDictionary<NSString *, id> *)query
                   headers:(NSDictionary<NSString *, id> *)headers
                      body:(nullable id)body
               contentType:(NSString *)contentType
                    signs:(BOOL)signs
                completion:(ApiCompletion)completion {
    NSString *target = path;
    for (NSString *name in place) {
        NSString *value = [place[name] description];
        target = [target stringByReplacingOccurrencesOfString:[NSString stringWithFormat:@"{%@+}", name] withString:encodePath(value)];
        target = [target stringByReplacingOccurrencesOfString:[NSString stringWithFormat:@"{%@}", name] withString:encode(value)];
    }
    NSMutableArray *pairs = [NSMutableArray array];
    for (NSString *name in query) [pairs addObject:[NSString stringWithFormat:@"%@=%@", encode(name), encode([query[name] description])]];
    [pairs sortUsingSelector:@selector(compare:)];
    NSString *search = [pairs componentsJoinedByString:@"&"];
    NSString *address = [NSString stringWithFormat:@"%@%@%@%@", _url, target, search.length ? @"?" : @"", search];
    NSMutableURLRequest *request = [NSMutableURLRequest requestWithURL:[NSURL URLWithString:address]];
    request.HTTPMethod = verb;
    request.timeoutInterval = 30;
    [request setValue:@"application/json" forHTTPHeaderField:@"Accept"];
    if (body) {
        request.HTTPBody = [body isKindOfClass:NSString.class] ? [body dataUsingEncoding:NSUTF8StringEncoding]
                                                               : [NSJSONSerialization dataWithJSONObject:body options:0 error:NULL];
        [request setValue:contentType forHTTPHeaderField:@"Content-Type"];
    }
    if (self.apiKey) [request setValue:self.apiKey forHTTPHeaderField:@"x-api-key"];
    for (NSString *name in headers) [request setValue:[headers[name] description] forHTTPHeaderField:name];
    if (signs && self.accessKey) [self sign:request search:search];
    NSURLSessionTask *task = [NSURLSession.sharedSession dataTaskWithRequest:request
        completionHandler:^(NSData *content, NSURLResponse *response, NSError *error) {
            if (error) {
                completion(nil, error);
                return;
            }
            NSHTTPURLResponse *http = (NSHTTPURLResponse *)response;
            ApiAnswer *answer = [ApiAnswer new];
            answer.status = http.statusCode;
            answer.headers = http.allHeaderFields;
            id json = content.length ? [NSJSONSerialization JSONObjectWithData:content options:NSJSONReadingAllowFragments error:NULL] : nil;
            answer.data = json ?: [[NSString alloc] initWithData:content encoding:NSUTF8StringEncoding];
            BOOL good = http.statusCode >= 200 && http.statusCode < 300;
            completion(answer, good ? nil : [NSError errorWithDomain:ApiErrorDomain code:http.statusCode userInfo:nil]);
        }];
    [task resume];
    return task;
}

- (void)sign:(NSMutableURLRequest *)request search:(NSString *)search {
    NSDateFormatter *format = [NSDateFormatter new];
    format.dateFormat = @"yyyyMMdd'T'HHmmss'Z'";
    format.timeZone = [NSTimeZone timeZoneWithName:@"UTC"];
    format.locale = [NSLocale localeWithLocaleIdentifier:@"en_US_POSIX"];
    NSString *stamp = [format stringFromDate:[NSDate date]];
    [request setValue:stamp forHTTPHeaderField:@"X-Amz-Date"];
    NSMutableDictionary *signedHeaders = [@{@"x-amz-date" : stamp} mutableCopy];
    if (self.sessionToken) {
        [request setValue:self.sessionToken forHTTPHeaderField:@"X-Amz-Security-Token"];
        signedHeaders[@"x-amz-security-token"] = self.sessionToken;
    }
    NSNumber *port = request.URL.port;
    signedHeaders[@"host"] = port ? [NSString stringWithFormat:@"%@:%@", request.URL.host, port] : request.URL.host;
    NSArray *names = [signedHeaders.allKeys sortedArrayUsingSelector:@selector(compare:)];
    NSMutableString *lines = [NSMutableString string];
    for (NSString *name in names) [lines appendFormat:@"%@:%@\n", name, signedHeaders[name]];
    NSString *joined = [names componentsJoinedByString:@";"];
    NSString *path = [NSURLComponents componentsWithURL:request.URL resolvingAgainstBaseURL:NO].percentEncodedPath;
    NSArray *parts = @[ request.HTTPMethod, encodePath(path), search, lines, joined, digest(request.HTTPBody ?: [NSData data]) ];
    NSData *canonical = [[parts componentsJoinedByString:@"\n"] dataUsingEncoding:NSUTF8StringEncoding];
    NSArray *scope = @[ [stamp substringToIndex:8], _region, @"execute-api", @"aws4_request" ];
    NSString *place = [scope componentsJoinedByString:@"/"];
    NSString *text = [@[ @"AWS4-HMAC-SHA256", stamp, place, digest(canonical) ] componentsJoinedByString:@"\n"];
    NSData *key = [[@"AWS4" stringByAppendingString:self.secretKey ?: @""] dataUsingEncoding:NSUTF8StringEncoding];
    for (NSString *part in scope) key = hmac(key, part);
    NSString *value = [NSString stringWithFormat:@"AWS4-HMAC-SHA256 Credential=%@/%@, SignedHeaders=%@, Signature=%@",
                                                 self.accessKey, place, joined, hex(hmac(key, text))];
    [request setValue:value forHTTPHeaderField:@"Authorization"];
}

@end
