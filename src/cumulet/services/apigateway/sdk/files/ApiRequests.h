#import <Foundation/Foundation.h>

NS_ASSUME_NONNULL_BEGIN

extern NSErrorDomain const ApiErrorDomain;

/** What the API answered: data is what NSJSONSerialization makes of it, or a text. */
@interface ApiAnswer : NSObject
@property (nonatomic) NSInteger status;
@property (nonatomic, copy) NSDictionary *headers;
@property (nonatomic, strong, nullable) id data;
@end

typedef void (^ApiCompletion)(ApiAnswer *_Nullable answer, NSError *_Nullable error);

/** Requests to an API, signed with AWS's Signature Version 4 where that is asked for. */
@interface ApiRequests : NSObject
@property (nonatomic, copy, nullable) NSString *apiKey;
@property (nonatomic, copy, nullable) NSString *accessKey;
@property (nonatomic, copy, nullable) NSString *secretKey;
@property (nonatomic, copy, nullable) NSString *sessionToken;

- (instancetype)initWithURL:(NSString *)url region:(NSString *)region;

- (NSURLSessionTask *)send:(NSString *)verb
                      path:(NSString *)path
                     place:(NSDictionary<NSString *, id> *)place
                     query:(NSDictionary<NSString *, id> *)query
                   headers:(NSDictionary<NSString *, id> *)headers
                      body:(nullable id)body
               contentType:(NSString *)contentType
                    signs:(BOOL)signs
                completion:(ApiCompletion)completion;
@end

NS_ASSUME_NONNULL_END
